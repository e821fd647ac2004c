/** @file check.h
 *  cmocka with what it asks to be included before it, and assertions on numbers that print both
 *  sides. A test is a function whose name is a sentence; a file's main lists them. */
#ifndef CHECK_H
#define CHECK_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/** Fails, with both numbers, unless a <= b. NaN fails. */
#define CHECK_LE(a, b) check_le((double)(a), (double)(b), #a " <= " #b, __FILE__, __LINE__)
/** Fails with the message of the failure unless status is DDPM_OK. */
#define CHECK_OK(status) check_status((int)(status), 0, #status, __FILE__, __LINE__)
/** Fails unless exactly that status came back. */
#define CHECK_STATUS(status, expected)                                                             \
    check_status((int)(status), (int)(expected), #status, __FILE__, __LINE__)
/** Fails unless the last failure's message contains `part`. */
#define CHECK_MESSAGE(part) check_message((part), __FILE__, __LINE__)

void check_le(double a, double b, const char *what, const char *file, int line);
void check_status(int status, int expected, const char *what, const char *file, int line);
void check_message(const char *part, const char *file, int line);
#endif
