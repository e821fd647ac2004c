/** @file config_oracle.h
 *  What a configuration file says, read a second time and in another way: without inih, and with
 *  numbers by strtod alone. Tests hold the parser against it. */
#ifndef CONFIG_ORACLE_H
#define CONFIG_ORACLE_H
#include "ddpm/base/config.h"

enum { ORACLE_LINES = 512 };

typedef struct {
    int wrong_count, wrong[ORACLE_LINES]; /**< lines that are an error */
    char value[DDPM_CONFIG_KEYS][4096];   /**< what the file says of each key */
    int line[DDPM_CONFIG_KEYS];           /**< where; 0: nothing */
} oracle;

/** Reads the whole text, which has fewer than ORACLE_LINES lines. */
void oracle_read(oracle *said, const char *text);
bool oracle_is_wrong(const oracle *said, int line);
/** Whether row `key` of a configuration has the value that a text says. */
bool oracle_matches(const ddpm_config *config, size_t key, const char *text);
#endif
