/* fw_words: what the portal says, in German and English. */
#ifndef FW_WORDS_H
#define FW_WORDS_H

enum fw_language { FW_GERMAN, FW_ENGLISH, FW_LANGUAGES };

enum fw_word {
    FW_WORD_LANG, /* its code */
    FW_WORD_OTHER,
    FW_WORD_OTHER_NAME,
    FW_WORD_TITLE,
    FW_WORD_INTRO,
    FW_WORD_SAVE,
    FW_WORD_MORE,
    FW_WORD_KEPT, /* in the place of a stored secret */
    FW_WORD_WRONG,
    FW_WORD_NOT_SAVED,
    FW_WORD_SAVED_TITLE,
    FW_WORD_SAVED,
    FW_WORD_NETWORK,
    FW_WORD_BROKER,
    FW_WORD_CA,
    FW_WORD_CA_KEPT,
    FW_WORD_AUTO,
    FW_WORDS
};

extern const char *const fw_words[FW_LANGUAGES][FW_WORDS];

/** The label of a form field, by its name. */
const char *fw_label(enum fw_language language, const char *name);

/** What is expected in it. */
const char *fw_hint(enum fw_language language, const char *name);

#endif
