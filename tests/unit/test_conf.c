/* Settings from the environment: what is taken, what is refused, and in which words. */
#include "tools.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "capture.h"
#include "conf.h"
#include "scratch.h"

struct settings {
    char *text;
    int64_t number;
    bool on;
    char *choice;
    char *secret;
    char *wanted;
};

static const struct conf_option options[] = {
    CONF_TEXT_OPTION("T_TEXT", struct settings, text, "a text", "any text"),
    CONF_NUMBER_OPTION("T_NUMBER", struct settings, number, "42", -10, 100, "a number"),
    CONF_SWITCH_OPTION("T_SWITCH", struct settings, on, "1", "on or off"),
    CONF_CHOICE_OPTION("T_CHOICE", struct settings, choice, "text", "text|json|xml", "a form"),
    CONF_SECRET_OPTION("T_SECRET", struct settings, secret, "", "a password"),
    CONF_TEXT_OPTION("T_WANTED", struct settings, wanted, NULL, "the house's number"),
    CONF_END,
};

static int open_clean(void **state)
{
    char name[64];

    for (const struct conf_option *o = options; o->name != NULL; o++) {
        snprintf(name, sizeof name, "%s_FILE", o->name);
        unsetenv(o->name);
        unsetenv(name);
    }
    setenv("T_WANTED", "7b", 1);
    return scratch_open(state);
}

/* Reads the settings; returns what was logged. */
static const char *read_settings(struct settings *s, int rc)
{
    static struct capture c;
    const char *log;
    int got;

    memset(s, 0, sizeof *s);
    memset(&c, 0, sizeof c);
    capture_begin(&c);
    got = conf_read(options, s);
    log = capture_end(&c);
    if (got != rc)
        fail_msg("%d, not %d: %s", got, rc, log);
    return log;
}

static void defaults_serve_what_is_unset_or_empty(void **state)
{
    struct settings s;

    (void)state;
    for (int turn = 0; turn < 2; turn++) {
        assert_string_equal(read_settings(&s, 0), "");
        assert_string_equal(s.text, "a text");
        assert_int_equal(s.number, 42);
        assert_true(s.on);
        assert_string_equal(s.choice, "text");
        assert_string_equal(s.secret, "");
        assert_string_equal(s.wanted, "7b");
        conf_free(options, &s);
        assert_null(s.text);
        assert_null(s.secret);
        conf_free(options, &s);
        setenv("T_TEXT", "", 1);
        setenv("T_NUMBER", "", 1);
        setenv("T_SWITCH", "", 1);
        setenv("T_CHOICE_FILE", "", 1);
        setenv("T_SECRET", "", 1);
    }
}

static void the_environment_goes_before_defaults(void **state)
{
    struct settings s;

    (void)state;
    setenv("T_TEXT", " blanks and \xC3\xBC, as they are ", 1);
    setenv("T_NUMBER", "-10", 1);
    setenv("T_SWITCH", "0", 1);
    setenv("T_CHOICE", "xml", 1);
    setenv("T_SECRET", "s3cret", 1);
    assert_string_equal(read_settings(&s, 0), "");
    assert_string_equal(s.text, " blanks and \xC3\xBC, as they are ");
    assert_int_equal(s.number, -10);
    assert_false(s.on);
    assert_string_equal(s.choice, "xml");
    assert_string_equal(s.secret, "s3cret");
    conf_free(options, &s);
}

static void a_file_may_hold_the_value(void **state)
{
    static const struct row {
        const char *why, *contents, *value;
    } rows[] = {
        {"no line feed", "s3cret", "s3cret"},
        {"one line feed", "s3cret\n", "s3cret"},
        {"from Windows", "s3cret\r\n", "s3cret"},
        {"several", "s3cret\n\n", "s3cret"},
        {"blanks are the secret's own", " s3 cret \n", " s3 cret "},
        {"a line feed inside", "one\ntwo\n", "one\ntwo"},
    };
    struct settings s;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        setenv("T_SECRET_FILE", scratch_write("secret", rows[i].contents), 1);
        assert_string_equal(read_settings(&s, 0), "");
        if (strcmp(s.secret, rows[i].value) != 0)
            fail_msg("%s: \"%s\"", rows[i].why, s.secret);
        conf_free(options, &s);
    }
    setenv("T_SECRET", "", 1); /* the same as unset */
    setenv("T_NUMBER_FILE", scratch_write("number", "99\n"), 1);
    setenv("T_SWITCH_FILE", scratch_write("switch", "0\n"), 1);
    setenv("T_CHOICE_FILE", scratch_write("choice", "json\n"), 1);
    assert_string_equal(read_settings(&s, 0), "");
    assert_int_equal(s.number, 99);
    assert_false(s.on);
    assert_string_equal(s.choice, "json");
    conf_free(options, &s);
}

static void wrong_values_are_named(void **state)
{
    static const struct row {
        const char *why, *variable, *value, *says;
    } rows[] = {
        {"missing", "T_WANTED", NULL, "missing"},
        {"empty is missing", "T_WANTED", "", "missing"},
        {"too small", "T_NUMBER", "-11", "from -10 to 100"},
        {"too large", "T_NUMBER", "101", "from -10 to 100"},
        {"beyond 64 bits", "T_NUMBER", "99999999999999999999", "from -10 to 100"},
        {"no number", "T_NUMBER", "ten", "from -10 to 100"},
        {"a unit", "T_NUMBER", "10s", "from -10 to 100"},
        {"a fraction", "T_NUMBER", "1.5", "from -10 to 100"},
        {"hex", "T_NUMBER", "0x10", "from -10 to 100"},
        {"blanks alone", "T_NUMBER", " ", "from -10 to 100"},
        {"yes is no switch", "T_SWITCH", "yes", "0 or 1"},
        {"nor is 2", "T_SWITCH", "2", "0 or 1"},
        {"nor 01", "T_SWITCH", "01", "0 or 1"},
        {"no choice", "T_CHOICE", "yaml", "text|json|xml"},
        {"a part of one", "T_CHOICE", "jso", "text|json|xml"},
        {"another case", "T_CHOICE", "JSON", "text|json|xml"},
        {"the whole list", "T_CHOICE", "text|json|xml", "text|json|xml"},
        {"two of them", "T_CHOICE", "json|xml", "text|json|xml"},
    };
    struct settings s;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char variable[64];
        const char *log;

        if (rows[i].value == NULL)
            unsetenv(rows[i].variable);
        else
            setenv(rows[i].variable, rows[i].value, 1);
        log = read_settings(&s, -EINVAL);
        snprintf(variable, sizeof variable, "variable=%s ", rows[i].variable);
        if (strstr(log, variable) == NULL || strstr(log, rows[i].says) == NULL ||
            strchr(log, '\n') != log + strlen(log) - 1)
            fail_msg("%s: %s", rows[i].why, log);
        conf_free(options, &s);
        unsetenv(rows[i].variable);
        setenv("T_WANTED", "7b", 1);
    }
}

static void secrets_are_never_in_the_log(void **state)
{
    struct settings s;
    const char *log;

    (void)state;
    setenv("T_SECRET", "hunter2", 1);
    setenv("T_SECRET_FILE", scratch_write("secret", "hunter2"), 1);
    log = read_settings(&s, -EINVAL);
    assert_non_null(strstr(log, "T_SECRET_FILE"));
    assert_null(strstr(log, "hunter2"));
    conf_free(options, &s);

    unsetenv("T_SECRET_FILE");
    setenv("T_NUMBER", "none", 1);
    log = read_settings(&s, -EINVAL);
    assert_null(strstr(log, "hunter2"));
    conf_free(options, &s);
}

static void files_that_cannot_be_read(void **state)
{
    static const struct row {
        const char *why, *file;
    } rows[] = {{"not there", "absent"}, {"a folder", ""}};
    struct settings s;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *log;

        setenv("T_SECRET_FILE", scratch_path(rows[i].file), 1);
        log = read_settings(&s, -EINVAL);
        if (strstr(log, "variable=T_SECRET_FILE ") == NULL)
            fail_msg("%s: %s", rows[i].why, log);
        conf_free(options, &s);
    }
}

/* An empty file is an empty variable: the default serves, or it is missing. */
static void an_empty_file_counts_as_unset(void **state)
{
    struct settings s;

    (void)state;
    setenv("T_TEXT_FILE", scratch_write("text", "\n"), 1);
    read_settings(&s, 0);
    assert_string_equal(s.text, "a text");
    conf_free(options, &s);
    unsetenv("T_WANTED");
    setenv("T_WANTED_FILE", scratch_write("wanted", ""), 1);
    assert_non_null(strstr(read_settings(&s, -EINVAL), "missing"));
    conf_free(options, &s);
}

static void help_names_every_setting(void **state)
{
    char text[2048] = "";
    FILE *out = fmemopen(text, sizeof text, "w");

    (void)state;
    setenv("T_SECRET", "hunter2", 1);
    conf_help(out, options);
    fclose(out);
    for (const struct conf_option *o = options; o->name != NULL; o++) {
        assert_non_null(strstr(text, o->name));
        assert_non_null(strstr(text, o->help));
    }
    assert_non_null(strstr(text, "[required]"));
    assert_non_null(strstr(text, "[42]"));
    assert_non_null(strstr(text, "text|json|xml"));
    assert_null(strstr(text, "hunter2"));
}

static void lists_are_cut_and_trimmed(void **state)
{
    static const struct row {
        const char *text, *joined;
    } rows[] = {
        {"", ""},
        {" , ,", ""},
        {"a", "a;"},
        {"a,b", "a;b;"},
        {" a ,\tb\n, ,c,", "a;b;c;"},
        {"a b", "a;b;"},
        {"tcp://h:1,ipc:///run/x", "tcp://h:1;ipc:///run/x;"},
        {"1,2,3,4,5,6,7,8,9", "1;2;3;4;5;6;7;8;9;"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char **list = conf_list(rows[i].text), joined[128] = "";

        assert_non_null(list);
        for (char **word = list; *word != NULL; word++) {
            strcat(joined, *word);
            strcat(joined, ";");
        }
        assert_string_equal(joined, rows[i].joined);
        free(list);
    }
}

static void what_is_an_identifier(void **state)
{
    static const char long_one[] = "a23456789012345678901234567890123456789012345678";
    static const char *const good[] = {"a", "history", "history_2", "h2o", "a_", long_one};
    static const char *const bad[] = {"",
                                      "1a",
                                      "_a",
                                      "History",
                                      "a-b",
                                      "a b",
                                      "a;b",
                                      "a\"",
                                      "hist\xC3\xB6",
                                      "a.b",
                                      "a\n",
                                      "drop table x",
                                      " a",
                                      "a23456789012345678901234567890123456789012345678x"};

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++)
        if (!conf_is_identifier(good[i]))
            fail_msg("%s refused", good[i]);
    for (size_t i = 0; i < COUNT(bad); i++)
        if (conf_is_identifier(bad[i]))
            fail_msg("\"%s\" taken", bad[i]);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_clean, scratch_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(defaults_serve_what_is_unset_or_empty),
        TEST(the_environment_goes_before_defaults),
        TEST(a_file_may_hold_the_value),
        TEST(wrong_values_are_named),
        TEST(secrets_are_never_in_the_log),
        TEST(files_that_cannot_be_read),
        TEST(an_empty_file_counts_as_unset),
        TEST(help_names_every_setting),
        TEST(lists_are_cut_and_trimmed),
        TEST(what_is_an_identifier),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
