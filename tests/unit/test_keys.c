/* The keys file: what is read from it, what is left out, and that it may change under way. */
#include "tools.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "capture.h"
#include "keys.h"
#include "scratch.h"

#define T1   "5341475E40F89D93"
#define T2   "4B464D2D3281D0BF"
#define T3   "4B464D84934B2C3D"
#define K1   "11111111111111111111111111111111"
#define K2   "22222222222222222222222222222222"
#define K3   "33333333333333333333333333333333"
#define K9   "99999999999999999999999999999999"
#define HEAD "system_title,key,authentication_key,name\n"

static struct capture capture;
static char path[128]; /* keys keep it by reference */

static int open_scratch(void **state)
{
    int rc = scratch_open(state);

    snprintf(path, sizeof path, "%s/keys.csv", scratch);
    return rc;
}

static const char *write_keys(const char *text)
{
    scratch_write("keys.csv", text);
    return path;
}

static const struct decode_keys *find(struct keys *k, const char *title)
{
    uint8_t octets[SYSTEM_TITLE_OCTETS];

    assert_int_equal(hex_decode(title, octets, sizeof octets), 0);
    return keys_lookup(k, octets);
}

/* "11" for K1, with "+22" for an authentication key K2 and " name" behind; "none". */
static const char *found(struct keys *k, const char *title)
{
    static char text[160];
    const struct decode_keys *d = find(k, title);
    int n;

    if (d == NULL)
        return "none";
    assert_true(d->has_key);
    n = snprintf(text, sizeof text, "%02X", d->key[15]);
    if (d->has_authentication_key)
        n += snprintf(text + n, sizeof text - (size_t)n, "+%02X", d->authentication_key[15]);
    if (d->name != NULL && d->name[0] != '\0')
        snprintf(text + n, sizeof text - (size_t)n, " %s", d->name);
    return text;
}

/* Opens with what it logs captured; the caller frees. */
static struct keys *open_keys(const char *key, const char *file, int rc)
{
    struct keys *k = NULL;
    int got;

    capture_begin(&capture);
    got = keys_open(key, "", file, &k);
    capture_end(&capture);
    if (got != rc)
        fail_msg("%d, not %d: %s", got, rc, capture.text);
    return k;
}

static void forms_of_the_file(void **state)
{
    static const struct row {
        const char *why, *file, *t1, *t2;
    } rows[] = {
        {"as documented", HEAD T1 "," K1 "," K2 ",Keller\n" T2 "," K3 ",,\n", "11+22 Keller", "33"},
        {"columns in another order", "name,key,system_title\nKeller," K1 "," T1 "\n", "11 Keller",
         "none"},
        {"only what must be", "system_title,key\n" T1 "," K1 "\n" T2 "," K2 "\n", "11", "22"},
        {"short lines", HEAD T1 "," K1 "\n" T2 "," K2 "," K3 "\n", "11", "22+33"},
        {"a byte order mark", "\xEF\xBB\xBF" HEAD T1 "," K1 ",,\n", "11", "none"},
        {"from Windows", "system_title,key,name\r\n" T1 "," K1 ",a\r\n" T2 "," K2 ",b\r\n", "11 a",
         "22 b"},
        {"no line feed at the end", "system_title,key,name\n" T1 "," K1 ",a", "11 a", "none"},
        {"quotes", "\"system_title\",\"key\",\"name\"\n\"" T1 "\",\"" K1 "\",\"a b\"\n", "11 a b",
         "none"},
        {"further columns", "street,key,x,system_title,name,y\ns," K1 ",7," T1 ",n,8\n", "11 n",
         "none"},
        {"a header in capitals", "System_Title,KEY\n" T1 "," K1 "\n", "11", "none"},
        {"blanks around", " system_title , key \n " T1 " ,\t" K1 " \n", "11", "none"},
        {"empty lines and comments", "# meters\n\n" HEAD "\n# mine\n" T1 "," K1 ",,\n\n \n", "11",
         "none"},
        {"titles in lower case", "system_title,key\n5341475e40f89d93," K1 "\n", "11", "none"},
        {"a name in UTF-8",
         HEAD T1 "," K1 ",,K\xC3\xBC"
                 "che\n",
         "11 K\xC3\xBC"
         "che",
         "none"},
        {"a name in Latin-1",
         HEAD T1 "," K1 ",,K\xFC"
                 "che\n",
         "11 K?che", "none"},
        {"a key with separators", HEAD T1 ",11:11:11:11:11:11:11:11 11111111-11111111,,\n", "11",
         "none"},
        {"commas inside quotes", "name,system_title,key\n\"Top 3, Anna\"," T1 "," K1 "\n",
         "11 Top 3, Anna", "none"},
        {"a C list as key",
         "name,key,system_title\na,\"0x11,0x11,0x11,0x11,0x11,0x11,0x11,0x11,0x11,"
         "0x11,0x11,0x11,0x11,0x11,0x11,0x11\"," T1 "\n",
         "11 a", "none"},
        {"not sorted", HEAD T1 "," K1 ",,\n" T3 "," K3 ",,\n" T2 "," K2 ",,\n", "11", "22"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct keys *k = open_keys("", write_keys(rows[i].file), 0);

        if (strcmp(found(k, T1), rows[i].t1) != 0)
            fail_msg("%s: %s: %s", rows[i].why, T1, found(k, T1));
        if (strcmp(found(k, T2), rows[i].t2) != 0)
            fail_msg("%s: %s: %s", rows[i].why, T2, found(k, T2));
        if (capture.text[0] != '\0')
            fail_msg("%s: %s", rows[i].why, capture.text);
        keys_free(k);
    }
}

static void long_names_are_cut_between_characters(void **state)
{
    char file[512] = HEAD T1 "," K1 ",,a";
    struct keys *k;

    (void)state;
    for (int i = 0; i < 40; i++)
        strcat(file, "\xC3\xBC");
    k = open_keys("", write_keys(file), 0);
    assert_int_equal(strlen(find(k, T1)->name), 63);
    keys_free(k);
}

/* Each bad line is logged by its number; no part of a key is. */
static void bad_lines_are_left_out(void **state)
{
    static const char *const bad[] = {
        "5341475E40F89D9," K1 ",,",
        T3 ",11111111,,",
        T3 "," K1 "1,,",
        T3 ",XX111111111111111111111111111111,,",
        T3 "," K1 ",2222,",
        T3 ",,,",
        ",,,",
        T3,
        K1 "," T3 ",,",
    };
    char file[4096] = HEAD T1 "," K1 ",,\n";
    struct keys *k;

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++)
        snprintf(file + strlen(file), sizeof file - strlen(file), "%s\n", bad[i]);
    strcat(file, T2 "," K2 ",,\n");
    k = open_keys("", write_keys(file), 0);
    assert_int_equal(keys_count(k), 2);
    assert_string_equal(found(k, T1), "11");
    assert_string_equal(found(k, T2), "22");
    assert_string_equal(found(k, T3), "none");
    for (size_t i = 0; i < COUNT(bad); i++) {
        char field[32];

        snprintf(field, sizeof field, " line=%zu ", i + 3);
        if (strstr(capture.text, field) == NULL)
            fail_msg("no%s: %s", field, capture.text);
    }
    assert_null(strstr(capture.text, "1111"));
    assert_null(strstr(capture.text, "2222"));
    keys_free(k);
}

static void the_last_of_a_doubled_title_counts(void **state)
{
    struct keys *k = open_keys(
        "", write_keys(HEAD T1 "," K1 ",,a\n" T2 "," K2 ",,\n" T1 "," K3 ",,b\n" T1 "," K9 ",,c\n"),
        0);

    (void)state;
    assert_string_equal(found(k, T1), "99 c");
    assert_string_equal(found(k, T2), "22");
    assert_int_equal(keys_count(k), 2);
    assert_non_null(strstr(capture.text, "line=2 "));
    assert_non_null(strstr(capture.text, "line=4 "));
    assert_null(strstr(capture.text, "line=5 "));
    keys_free(k);
}

static void settings_that_give_no_key(void **state)
{
    static const struct row {
        const char *why, *key, *file; /* NULL: no file; "-": a path without one */
        const char *variable;         /* NULL: fine */
    } rows[] = {
        {"a key alone", K1, NULL, NULL},
        {"nothing", "", NULL, "SMARTMETER_KEY"},
        {"a short key", "1111", NULL, "SMARTMETER_KEY"},
        {"a short key beside a good file", "1111", HEAD T1 "," K1 ",,\n", "SMARTMETER_KEY"},
        {"no such file", "", "-", "SMARTMETER_KEYS_FILE"},
        {"no such file, though a key", K1, "-", "SMARTMETER_KEYS_FILE"},
        {"empty", "", "", "SMARTMETER_KEYS_FILE"},
        {"no header", "", T1 "," K1 ",,\n", "SMARTMETER_KEYS_FILE"},
        {"no column for keys", "", "system_title,name\n" T1 ",a\n", "SMARTMETER_KEYS_FILE"},
        {"the header alone", "", HEAD, "SMARTMETER_KEYS_FILE"},
        {"no usable line", "", HEAD T1 ",1111,,\n", "SMARTMETER_KEYS_FILE"},
        {"the header alone beside a key", K1, HEAD, NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *file = rows[i].file;
        struct keys *k;

        remove(path);
        if (file != NULL)
            file = strcmp(file, "-") == 0 ? path : write_keys(file);
        k = open_keys(rows[i].key, file == NULL ? "" : file,
                      rows[i].variable == NULL ? 0 : -EINVAL);
        if (rows[i].variable != NULL && strstr(capture.text, rows[i].variable) == NULL)
            fail_msg("%s: %s", rows[i].why, capture.text);
        if (strstr(capture.text, "1111") != NULL)
            fail_msg("%s: a key in the log: %s", rows[i].why, capture.text);
        keys_free(k);
    }
    keys_free(NULL);
}

static void the_files_key_goes_before_everybodys(void **state)
{
    struct keys *k;

    (void)state;
    assert_int_equal(
        keys_open(K9, K3, write_keys(HEAD T1 "," K1 ",,a\n" T2 "," K2 "," K1 ",\n"), &k), 0);
    assert_string_equal(found(k, T1), "11 a"); /* not everybody's authentication key */
    assert_string_equal(found(k, T2), "22+11");
    assert_string_equal(found(k, T3), "99+33");
    assert_string_equal(found(k, "0000000000000000"), "99+33");
    assert_string_equal(found(k, T1), "11 a");
    keys_free(k);
}

/* --- changes --------------------------------------------------------------------------- */

static void refresh(struct keys *k)
{
    capture_begin(&capture);
    keys_refresh(k);
    capture_end(&capture);
}

static void a_changed_file_is_read_again(void **state)
{
    struct keys *k = open_keys("", write_keys(HEAD T1 "," K1 ",,\n"), 0);

    (void)state;
    refresh(k);
    assert_string_equal(capture.text, "");
    write_keys(HEAD T1 "," K2 ",,new\n" T2 "," K3 ",,\n");
    refresh(k);
    assert_non_null(strstr(capture.text, "meters=2"));
    assert_null(strstr(capture.text, "2222"));
    assert_string_equal(found(k, T1), "22 new");
    assert_string_equal(found(k, T2), "33");
    refresh(k);
    assert_string_equal(capture.text, "");
    write_keys(HEAD T2 "," K3 ",,\n"); /* a meter less */
    refresh(k);
    assert_string_equal(found(k, T1), "none");
    keys_free(k);
}

/* Kubernetes: keys.csv -> data/keys.csv, data -> version-1; then data -> version-2 by rename. */
static void a_swapped_symlink_is_followed(void **state)
{
    struct keys *k;

    (void)state;
    assert_int_equal(mkdir(scratch_path("version-1"), 0700), 0);
    assert_int_equal(mkdir(scratch_path("version-2"), 0700), 0);
    scratch_write("version-1/keys.csv", HEAD T1 "," K1 ",,\n");
    scratch_write("version-2/keys.csv", HEAD T1 "," K2 ",,\n"); /* of the same size */
    assert_int_equal(symlink("version-1", scratch_path("data")), 0);
    assert_int_equal(symlink("data/keys.csv", path), 0);
    k = open_keys("", path, 0);
    assert_string_equal(found(k, T1), "11");
    assert_int_equal(symlink("version-2", scratch_path("data-new")), 0);
    assert_int_equal(rename(scratch_path("data-new"), scratch_path("data")), 0);
    refresh(k);
    assert_string_equal(found(k, T1), "22");
    keys_free(k);
}

static void a_fifo_does_not_hang(void **state)
{
    struct keys *k = open_keys("", write_keys(HEAD T1 "," K1 ",,\n"), 0);

    (void)state;
    assert_int_equal(remove(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    refresh(k);
    assert_string_equal(found(k, T1), "11");
    keys_free(k);
}

static void a_bad_file_changes_nothing(void **state)
{
    static const struct row {
        const char *why, *file;
    } rows[] = {
        {"empty, as while it is being written", ""},
        {"no header", T1 "," K3 ",,\n"},
        {"the header alone", HEAD},
        {"no usable line", HEAD T1 ",33,,\n"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct keys *k = open_keys("", write_keys(HEAD T1 "," K1 ",,\n"), 0);

        write_keys(rows[i].file);
        refresh(k);
        if (strcmp(found(k, T1), "11") != 0 || keys_count(k) != 1)
            fail_msg("%s: %s", rows[i].why, found(k, T1));
        if (strstr(capture.text, "SMARTMETER_KEYS_FILE") == NULL)
            fail_msg("%s: %s", rows[i].why, capture.text);
        refresh(k);
        if (capture.text[0] != '\0') /* said once */
            fail_msg("%s: %s", rows[i].why, capture.text);
        remove(path);
        refresh(k);
        assert_string_equal(found(k, T1), "11");
        write_keys(HEAD T1 "," K2 ",,\n");
        refresh(k);
        assert_string_equal(found(k, T1), "22");
        keys_free(k);
    }
}

static void a_fleet_of_keys(void **state)
{
    enum { METERS = 20000 };
    FILE *f = fopen(path, "w");
    struct keys *k;

    (void)state;
    fputs("system_title,key,name\n", f);
    for (unsigned i = 0; i < METERS; i++)
        fprintf(f, "5341475E%08X,%032X,m%u\n", i * 2654435761U, i, i);
    fclose(f);
    k = open_keys("", path, 0);
    assert_int_equal(keys_count(k), METERS);
    for (unsigned i = 0; i < METERS; i += 7) {
        char title[17], name[16];

        snprintf(title, sizeof title, "5341475E%08X", i * 2654435761U);
        snprintf(name, sizeof name, "m%u", i);
        assert_string_equal(find(k, title)->name, name);
        assert_int_equal(find(k, title)->key[15], i % 256);
    }
    assert_null(find(k, T2));
    keys_free(k);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_scratch, scratch_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(forms_of_the_file),
        TEST(long_names_are_cut_between_characters),
        TEST(the_last_of_a_doubled_title_counts),
        TEST(bad_lines_are_left_out),
        TEST(settings_that_give_no_key),
        TEST(the_files_key_goes_before_everybodys),
        TEST(a_changed_file_is_read_again),
        TEST(a_swapped_symlink_is_followed),
        TEST(a_fifo_does_not_hang),
        TEST(a_bad_file_changes_nothing),
        TEST(a_fleet_of_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
