/*
 * delivery: what loses no reading and doubles none, as a model for spin. tests/model.sh runs it.
 *
 * It stands for "Nothing is lost", "Identity of a delivery" and "Delivery and redelivery" of the
 * design and for "Who acks what" of README.md: TELEGRAMS readings of one meter, all of one debounce
 * window, go from the MQTT broker to the database while up to FAULTS things go wrong. A fault is
 *
 *   - SIGKILL of any process, which takes along any part of what its sockets hold; with CUT a power
 *     cut of mqtt-ingest's machine: the tail of the journal that was not synced is gone as well;
 *   - the loss of any message, PUBACK or ack;
 *   - a message or an ack that comes twice, or a time-out that comes too early;
 *   - an ack that comes late, after whatever else: a restart of mqtt-ingest, for one.
 *
 * When, which, in what order messages come, which consumer is slow or down and for how long: all of
 * it is open, and spin tries everything. A telegram is its number, 0 the earliest by (time, counter);
 * they arrive in any order. A payload, and so an entry of the journal, is one telegram of index 0.
 *
 * Checked:
 *   1. No entry leaves the journal before its effects are committed on every stream: trim().
 *   2. With LIVE, under weak fairness: everything is committed in the end and the journal is empty:
 *      `settles`. What a power cut may lose, and nothing more, is `lost`: see the journal.
 *   3. Effects happen once: no row is doubled, and the debounced row changes only to an earlier one:
 *      commit(). It ends as the earliest of its window: `settles`.
 *
 * Switches that break it, to show that the checks can fail:
 *   MUT_ACK_BEFORE_COMMIT  db-writer acknowledges, then commits
 *   MUT_ACK_UP_TO          an ack means everything up to its sequence number
 *   MUT_KEEP_ORIGIN        mqtt-ingest keeps its origin when it opens the journal again
 *   MUT_PASS_FORWARDED     debouncer passes over because of a reading that it has forwarded, be it
 *                          committed or not: the first design
 *   MUT_PASS_REJECTED      debouncer takes the ack of a committed reject for a committed row
 *   MUT_PUBACK_FIRST       PUBACK goes out before the append is committed
 *   MUT_NO_RESEND          nothing is sent twice
 *   MUT_NO_KEY             history has no key: each delivery becomes a row
 *   MUT_LAST_WINS          the last debounced row written stays, not the earliest
 * Another world, in which all that holds, too:
 *   REFUSED                telegram 0 becomes a reject after it was a reading: here the database
 *                          refuses it, but a changed key or clock, or poison, does the same
 */

#ifndef TELEGRAMS
#define TELEGRAMS 2 /* 2 or 3 */
#endif
#ifndef FAULTS
#define FAULTS 2
#endif
#define SEQS (TELEGRAMS + 1) /* one PUBACK may fail to arrive: then that telegram is there twice */

#if TELEGRAMS == 2
#define EACH_TELEGRAM(x) x(0) x(1)
#define EACH_SEQ(x) x(1) x(2) x(3)
#else
#define EACH_TELEGRAM(x) x(0) x(1) x(2)
#define EACH_SEQ(x) x(1) x(2) x(3) x(4)
#endif

#define ALL ((1 << TELEGRAMS) - 1)
#define BIT(i) (1 << (i))
#define HAS(set, i) (((set) >> (i)) & 1)

/* Streams, as bits of what an entry owes. */
#define HISTORY 1
#define DEBOUNCED 2

/*
 * A message is (origin, seq, telegram). Of an origin only this matters: is it mqtt-ingest's present
 * one? An earlier one is never drawn again (16 random octets), so all earlier ones are alike, and their
 * sequence numbers mean nothing any more: such a message has the sequence number OLD. A restart of
 * mqtt-ingest makes every message OLD; with MUT_KEEP_ORIGIN it makes none.
 *
 * A stream is the set of messages on their way: in sockets, or with a replica that is slow, stopped
 * or hung; in no order. A hop stands here only if its end remembers something:
 *   telegrams: the decryptor remembers nothing, so a telegram that waits in front of it is the same
 *   as its two readings waiting behind it. It is taken at once or lost.
 *   acks: nobody but mqtt-ingest acts upon a commit, so an ack that waits is the same as a record
 *   that waits for its commit. It arrives at once, or is lost, or is one of the late ones.
 */
#define OLD 0
#define MESSAGE(s, t) ((s) * TELEGRAMS + (t))
#define SEQ(m) ((m) / TELEGRAMS)
#define TELEGRAM(m) ((m) % TELEGRAMS)
#define OF(s) (ALL << ((s) * TELEGRAMS)) /* all messages of this sequence number */

int store = 0;          /* reading: decryptor to db-writer */
int debounce = 0;       /* reading: decryptor to debouncer */
int debounced = 0;      /* debounced: debouncer to db-writer */
byte late_history = 0;  /* acks that are late, by sequence number */
byte late_debounced = 0;

byte faults = FAULTS; /* that may still happen */
byte unacked = ALL;   /* the broker's session: telegrams whose PUBACK has not come */
bit twice = 0;        /* one of them is in the journal already */
bit debouncer_up = 1;
bit writer_up = 1;

/* The database: how many rows of history a telegram has, and which one the debounced row holds. */
byte rows[TELEGRAMS];
byte row = TELEGRAMS; /* none */
#ifdef REFUSED
byte refused = 0; /* telegrams that are rejects */
#else
#define refused 0
#endif

#ifdef MUT_PASS_FORWARDED
byte forwarded = TELEGRAMS; /* the earliest that any debouncer has forwarded; none */
#endif

/*
 * The journal. entry[seq] is 0, or a telegram and the streams it is owed to. `next` is journal.c's:
 * it counts up in memory, and goes on after the last entry there is when the file is opened, so a
 * number comes again whenever the last entries are gone, acknowledged or cut off.
 */
byte entry[SEQS + 1];
byte next = 1;
#define OWED(s) (entry[s] & 3)
#define HELD(s) (entry[s] >> 2)

#ifdef CUT
/*
 * synced: the journal that a power cut would leave. A write-ahead log is read back up to its last
 *         whole commit, so that is the journal of some moment since the last sync: see SYNC.
 * safe:   telegrams whose append was in such a journal once.
 * lost:   those that a power cut may lose: acknowledged to the broker and never safe. That is "at
 *         most what the journal had not synced".
 */
byte synced[SEQS + 1];
byte safe = 0;
byte lost = 0;
#else
#define lost 0
#endif

/* Sets of messages */

/* Any one of a set, which is not empty. */
inline pick(set, m)
{
    m = 0;
    do
    :: HAS(set, m) -> break
    :: ((set) >> (m + 1)) != 0 -> m++
    od
}

/* Take one; it may come again. */
inline take(set, m)
{
    pick(set, m);
    if
    :: set = set & ~BIT(m)
    :: faults > 0 -> faults--
    fi
}

/* Send one; it may be lost, and a consumer that is down takes none. */
inline put(set, m, up)
{
    if
    :: set = set | BIT(m)
    :: !(up)
    :: faults > 0 -> faults--
    fi
}

inline lose_one(set, m)
{
    pick(set, m);
    set = set & ~BIT(m)
}

/* Any part of them: m goes through all subsets, from the whole set down to none. */
inline lose_some(set, m)
{
    m = set;
    do
    :: m != 0 -> m = (m - 1) & set
    :: true -> break
    od;
    set = m
}

/*
 * Done at the end of every step: what can change nothing any more is taken off at once, which is a
 * partial order reduction by hand, since spin cannot know. Of a message, its identity matters only
 * while its ack does; a row stays; a reading whose ack is of no use may as well be behind the
 * debouncer already. Whatever is taken off might have been lost, so this makes no errors;
 * NO_TIDY goes without. After the last fault nobody looks at what a power cut would leave.
 */
#if defined(MUT_KEEP_ORIGIN) || defined(NO_TIDY)
inline tidy()
{
    skip
}
#else
#define FORGET(s) \
    if \
    :: !(OWED(s) & HISTORY) -> \
        store = (store & ~OF(s)) | ((store & OF(s)) >> ((s) * TELEGRAMS)); \
        late_history = late_history & ~BIT(s) \
    :: else \
    fi; \
    if \
    :: !(OWED(s) & DEBOUNCED) -> \
        debounced = (debounced & ~OF(s)) | ((debounced & OF(s)) >> ((s) * TELEGRAMS)); \
        debounced = debounced | ((debounce & OF(s)) >> ((s) * TELEGRAMS)); \
        debounce = debounce & ~OF(s); \
        late_debounced = late_debounced & ~BIT(s) \
    :: else \
    fi;
#define DROP(t) \
    if \
    :: rows[t] != 0 -> store = store & ~BIT(t) \
    :: else \
    fi; \
    if \
    :: row <= t -> debounced = debounced & ~BIT(t); debounce = debounce & ~BIT(t) \
    :: else \
    fi;
#define NOT_SYNCED(s) synced[s] = 0;
inline tidy()
{
    d_step {
        EACH_SEQ(FORGET)
        debounced = debounced | (debounce & OF(OLD));
        debounce = debounce & ~OF(OLD);
        EACH_TELEGRAM(DROP)
        if
        :: faults == 0 ->
#ifdef CUT
            EACH_SEQ(NOT_SYNCED)
            safe = 0;
#endif
            twice = 0
        :: else
        fi
    }
}
#endif

/* Acks */

/*
 * journal.c, ack(): this stream is owed it no more; when none is, the entry leaves. Property 1: by
 * then the row of history is committed, and a debounced row, its own or an earlier one.
 */
inline trim(e, stream)
{
    if
    :: entry[e] != 0 ->
        entry[e] = entry[e] & ~stream;
        if
        :: OWED(e) == 0 ->
            assert(rows[HELD(e)] > 0 || HAS(refused, HELD(e)));
            assert(row <= HELD(e) || HAS(refused, HELD(e)));
            entry[e] = 0
        :: else
        fi
    :: else
    fi
}

/* ingest.c, on_ack(): exactly the entry that it names. */
#ifdef MUT_ACK_UP_TO
#define TRIM_UP_TO(e) \
    if \
    :: e <= s -> trim(e, stream) \
    :: else \
    fi;
inline on_ack(s, stream)
{
    EACH_SEQ(TRIM_UP_TO)
    skip
}
#else
inline on_ack(s, stream)
{
    trim(s, stream)
}
#endif

inline late(s, stream)
{
    faults--;
    if
    :: stream == HISTORY -> late_history = late_history | BIT(s)
    :: else -> late_debounced = late_debounced | BIT(s)
    fi
}

/* acks.c, acks_publish(), and the way: one of an earlier origin is not for this mqtt-ingest. */
inline publish_ack(s, stream)
{
    if
    :: s == OLD
    :: s != OLD && faults > 0 -> faults--
    :: s != OLD && faults > 0 -> late(s, stream)
    :: s != OLD ->
        if
        :: true
        :: faults > 0 -> late(s, stream) /* and now: it comes twice */
        fi;
        on_ack(s, stream)
    fi
}

/* mqtt-ingest */

/*
 * ingest_open(), after SIGKILL or a power cut: the sequence goes on after the last entry, the origin
 * is new, the window knows nothing, so all that is owed will be sent.
 */
#define CUT_TAIL(s) entry[s] = synced[s];
#define LAST(s) \
    if \
    :: entry[s] != 0 -> next = s + 1 \
    :: else \
    fi;
#define MAKE_OLD(set, s) set = (set & ~OF(s)) | ((set & OF(s)) >> ((s) * TELEGRAMS));
#define NEW_ORIGIN(s) MAKE_OLD(store, s) MAKE_OLD(debounce, s) MAKE_OLD(debounced, s)
inline ingest_restarts()
{
    d_step {
#ifdef CUT
        lost = lost | (ALL & ~unacked & ~safe);
        EACH_SEQ(CUT_TAIL)
#endif
        next = 1;
        EACH_SEQ(LAST)
#ifndef MUT_KEEP_ORIGIN
        EACH_SEQ(NEW_ORIGIN)
        late_history = 0;
        late_debounced = 0;
#endif
    }
}

#ifdef CUT
/*
 * journal.c, sync_main(), and whatever the kernel writes by itself: from now on a power cut leaves
 * the journal as it is now.
 */
#define SYNC(s) \
    synced[s] = entry[s]; \
    if \
    :: entry[s] != 0 -> safe = safe | BIT(HELD(s)) \
    :: else \
    fi;
#define OR_DIFFERS(s) || entry[s] != synced[s]
inline sync()
{
    d_step { EACH_SEQ(SYNC) skip }
}
#endif

/*
 * The broker, with a persistent session: it delivers what has no PUBACK, again after each connection.
 * intake.c, intake_message(), on paho's thread: the append is committed, and only when it returns does
 * paho send the PUBACK. If that is lost with the connection, or the process dies before it, the
 * telegram comes again and is a second entry.
 */
inline intake(t)
{
    if
#ifdef MUT_PUBACK_FIRST
    :: faults > 0 -> faults--; unacked = unacked & ~BIT(t); ingest_restarts()
#endif
    :: true ->
        assert(next <= SEQS);
        entry[next] = t << 2 | HISTORY | DEBOUNCED;
        next++;
        if
        :: unacked = unacked & ~BIT(t)
        :: faults > 0 && !twice ->
            faults--;
            twice = 1;
            if
            :: true
            :: true ->
#ifdef CUT
                if
                :: true
                :: true -> sync()
                fi;
#endif
                ingest_restarts()
            fi
        fi
    fi
}

/* decryptor.c, take_telegram(): never waits; each of the two streams may drop the reading. */
inline decrypt(m)
{
    if
    :: put(store, m, writer_up);
       put(debounce, m, debouncer_up)
    :: faults > 0 -> faults--
    fi
}

/*
 * ingest.c, on_inbox(), and resend.c with window.c: whatever the journal holds is sent, and again
 * once nothing of it is on its way (a time-out that is right); a time-out that is wrong is a fault.
 */
#ifdef MUT_NO_RESEND
byte sent = 0; /* telegrams */
#define DUE(s) (entry[s] != 0 && !HAS(sent, HELD(s)))
#define SEND(s) :: DUE(s) -> sent = sent | BIT(HELD(s)); i = MESSAGE(s, HELD(s))
#else
#define ON_ITS_WAY(s) \
    (((store | debounce | debounced) & OF(s)) != 0 || HAS(late_history | late_debounced, s))
#define DUE(s) (entry[s] != 0 && (!ON_ITS_WAY(s) || faults > 0))
#define SEND(s) \
        :: entry[s] != 0 && !ON_ITS_WAY(s) -> i = MESSAGE(s, HELD(s)) \
        :: entry[s] != 0 && ON_ITS_WAY(s) && faults > 0 -> faults--; i = MESSAGE(s, HELD(s))
#endif
#define OR_DUE(s) || DUE(s)

/*
 * mqtt-ingest with the broker in front of it and the decryptors behind it, which are parts of its
 * steps: the one is a set, the others remember nothing. Fairness asks only that it does something, not
 * that each part of it has its turn: settles even so.
 */
active proctype mqtt_ingest()
{
    byte i;
end:
    do
    :: atomic {
        if
        :: unacked != 0 -> pick(unacked, i); intake(i)
        :: false EACH_SEQ(OR_DUE) ->
            if
            EACH_SEQ(SEND)
            fi;
            decrypt(i)
        :: late_history != 0 -> take(late_history, i); on_ack(i, HISTORY)
        :: late_debounced != 0 -> take(late_debounced, i); on_ack(i, DEBOUNCED)
#ifdef CUT
        :: faults > 0 && (false EACH_SEQ(OR_DIFFERS)) -> sync()
#endif
        fi;
        i = 0;
        tidy()
       }
    od
}

/*
 * debouncer.c, take_reading(), of any number of debouncers: forwards a reading; or passes it over, with
 * an ack at once, because it has heard that an earlier row is committed. Whether a debouncer has heard
 * it is open: it may have been restarted, be another replica, or have lost that ack.
 */
#if defined(MUT_PASS_FORWARDED)
#define IS_PASSED(t) (forwarded < (t))
#elif defined(MUT_PASS_REJECTED)
#define IS_PASSED(t) (row < (t) || (HAS(refused, 0) && (t) > 0))
#else
#define IS_PASSED(t) (row < (t))
#endif
active proctype debouncer()
{
    byte m;
end:
    do
    :: atomic {
        debouncer_up && debounce != 0 ->
        take(debounce, m);
        if
#ifdef MUT_PASS_FORWARDED
        :: forwarded = (TELEGRAM(m) < forwarded -> TELEGRAM(m) : forwarded);
           put(debounced, m, writer_up)
#else
        :: put(debounced, m, writer_up)
#endif
        :: IS_PASSED(TELEGRAM(m)) -> publish_ack(SEQ(m), DEBOUNCED)
        fi;
        m = 0;
        tidy()
       }
    od
}

/* sqlite.c and pg.c: one transaction, synced. A row that is there stays; the earlier one stays. */
inline commit(m, stream)
{
    if
#ifdef REFUSED
    :: TELEGRAM(m) == 0 -> refused = BIT(0)
    :: TELEGRAM(m) != 0 && stream == HISTORY ->
#else
    :: stream == HISTORY ->
#endif
        if
#ifdef MUT_NO_KEY
        :: true -> rows[TELEGRAM(m)]++
#else
        :: rows[TELEGRAM(m)] == 0 -> rows[TELEGRAM(m)] = 1
        :: else
#endif
        fi;
        assert(rows[TELEGRAM(m)] == 1)
    :: else ->
        if
#ifdef MUT_LAST_WINS
        :: true ->
            assert(TELEGRAM(m) <= row);
            row = TELEGRAM(m)
#else
        :: TELEGRAM(m) < row -> row = TELEGRAM(m)
        :: else
#endif
        fi
    fi
}

/* writer.c, acknowledge(): a reject that is committed acknowledges all streams. */
inline acknowledge(m, stream)
{
#ifdef REFUSED
    if
    :: HAS(refused, TELEGRAM(m)) && stream == HISTORY -> publish_ack(SEQ(m), DEBOUNCED)
    :: HAS(refused, TELEGRAM(m)) && stream == DEBOUNCED -> publish_ack(SEQ(m), HISTORY)
    :: else
    fi;
#endif
    publish_ack(SEQ(m), stream)
}

inline writer_dies(m)
{
    writer_up = 0;
    lose_some(store, m);
    lose_some(debounced, m);
    lose_some(late_history, m);
    lose_some(late_debounced, m)
}

/*
 * writer.c, commit() and acknowledge(), of any number of db-writers: what one holds uncommitted is
 * as good as on its way. It may die between the two.
 */
active proctype db_writer()
{
    short m;
    byte stream;
end:
    do
    :: atomic {
        writer_up && (store | debounced) != 0 ->
        if
        :: store != 0 -> take(store, m); stream = HISTORY
        :: debounced != 0 -> take(debounced, m); stream = DEBOUNCED
        fi;
#ifdef MUT_ACK_BEFORE_COMMIT
        acknowledge(m, stream)
       }
       atomic {
        if
        :: writer_up -> commit(m, stream)
        :: !writer_up
        fi;
#else
        commit(m, stream);
        if
        :: acknowledge(m, stream)
        :: faults > 0 -> faults--; writer_dies(m)
        fi;
#endif
        m = 0;
        stream = 0;
        tidy()
       }
    od
}

/*
 * What happens to them: SIGKILL of any process at any moment; connections that break with something
 * in them; and systemd, Compose or Kubernetes, which start again what is down.
 */
active proctype world()
{
    short m;
end:
    do
    :: !debouncer_up -> debouncer_up = 1
    :: !writer_up -> writer_up = 1
    :: atomic {
        faults > 0 ->
        faults--;
        if
        :: ingest_restarts()
        :: (store | debounce) != 0 -> /* a decryptor is no more than what it holds */
            lose_some(store, m);
            lose_some(debounce, m)
        :: debouncer_up ->
            debouncer_up = 0;
            lose_some(debounce, m);
            lose_some(debounced, m);
            lose_some(late_debounced, m)
        :: writer_up -> writer_dies(m)
        :: store != 0 -> lose_one(store, m)
        :: debounce != 0 -> lose_one(debounce, m)
        :: debounced != 0 -> lose_one(debounced, m)
        :: late_history != 0 -> lose_one(late_history, m)
        :: late_debounced != 0 -> lose_one(late_debounced, m)
#ifdef LIVE
        :: faults = 0 /* all goes well from now on: fairness asks for no fault */
#endif
        fi;
        m = 0;
        tidy()
       }
    od
}

/*
 * Properties 2 and 3. With no faults left, what is settled stays settled, since there is nothing to
 * deliver and nothing to send: so "at some time" means "from then on".
 */
#ifdef LIVE
#define EMPTY(s) && entry[s] == 0
#define SETTLED(t) && (HAS(lost | refused, t) || (rows[t] == 1 && row <= t))
ltl settles { <> (faults == 0 && unacked == 0 EACH_SEQ(EMPTY) EACH_TELEGRAM(SETTLED)) }
#endif
