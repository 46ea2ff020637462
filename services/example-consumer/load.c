#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"

enum { CLOSE_MS = 3000 };

static const char *word(bool on)
{
    return on ? "on" : "off";
}

int load_check(const struct load *l)
{
    const char *right = "the path of an executable file, without arguments";
    struct stat st;

    if (stat(l->command, &st) != 0 || access(l->command, X_OK) != 0)
        return conf_wrong("SWITCH_COMMAND", strerror(errno), right);
    return S_ISREG(st.st_mode) ? 0 : conf_wrong("SWITCH_COMMAND", l->command, right);
}

void load_set(struct load *l, bool on)
{
    if (on == l->on)
        return;
    l->on = on;
    l->due = true;
    log_info("switch", LOG_S("load", word(on)));
}

/* With signals as any program expects them, in a group of its own: Ctrl-C is not meant for it. */
static int spawn(const char *command, bool on, pid_t *child)
{
    char *argv[] = {(char *)command, (char *)word(on), NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    sigset_t none, all;
    int rc;

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(&how);
    posix_spawnattr_setsigmask(&how, &none);
    posix_spawnattr_setsigdefault(&how, &all);
    posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                       POSIX_SPAWN_SETPGROUP);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
    rc = posix_spawn(child, command, &files, &how, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&how);
    return -rc;
}

static void start(struct load *l, int64_t now_ms)
{
    int rc = spawn(l->command, l->on, &l->child);

    l->child_on = l->on;
    l->due = l->told_off = false;
    l->started_ms = now_ms;
    if (rc == 0)
        return;
    l->child = 0;
    log_warn("switch", LOG_S("load", word(l->on)), LOG_S("command", l->command),
             LOG_S("wrong", strerror(-rc)));
}

/* Take leave of the command when it has ended. */
static void collect(struct load *l)
{
    int status = 0;

    if (l->child == 0 || waitpid(l->child, &status, WNOHANG) == 0)
        return;
    l->child = 0;
    l->told_off = status == 0 && !l->child_on;
    if (status != 0)
        log_warn("switch", LOG_S("load", word(l->child_on)), LOG_S("command", l->command),
                 LOG_S("wrong", WIFEXITED(status) ? "it ended with a status" : "it was killed"),
                 LOG_I("status", WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status)));
}

void load_step(struct load *l, int64_t now_ms)
{
    bool again = l->started_ms == 0 || now_ms - l->started_ms >= l->repeat_seconds * 1000;

    collect(l);
    if (l->child > 0 && again)
        kill(-l->child, SIGKILL); /* its whole group: a script may wait for another program */
    else if (l->child == 0 && (again || l->due))
        start(l, now_ms);
}

/* Wait a little for the running command to end; then end it. */
static void finish(struct load *l)
{
    int64_t until = clock_monotonic_ms() + CLOSE_MS;

    for (collect(l); l->child > 0; collect(l)) {
        if (clock_monotonic_ms() >= until)
            kill(-l->child, SIGKILL);
        poll(NULL, 0, 20);
    }
}

void load_close(struct load *l)
{
    if (l->started_ms == 0)
        return;
    load_set(l, false);
    finish(l);
    if (!l->told_off)
        start(l, clock_monotonic_ms());
    finish(l);
}
