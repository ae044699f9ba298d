/* Runs the searches of scan.h beside loops that look at one byte at a time.
 * Built by test_scan.py with and without SSE2. Prints the first disagreement. */
#include "ext/http/scan.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS = 400000, LONGEST = 70 };

static const char* plainly(const char* at, const char* end, int kind)
{
    while (at < end && scan_is(*at, kind))
        at++;
    return at;
}

static int disagree(const char* what, const char* at, size_t n, const char* found, const char* right)
{
    if (found == right)
        return 0;
    printf("%s stops at %ld of %zu, not at %ld\n", what, (long)(found - at), n, (long)(right - at));
    return 1;
}

int main(void)
{
    static const char likely[] = "abcXYZ019-_ :;,\t.!/?#%\r\n";
    unsigned state = 1;
    for (int round = 0; round < ROUNDS; round++) {
        state = state * 1664525u + 1013904223u;
        size_t n = (state >> 8) % LONGEST;
        int odd = (int)(state >> 28);
        char* at = malloc(n + 1); /* of its own size each time: a sanitizer sees a step beyond it */
        for (size_t i = 0; i < n; i++) {
            state = state * 1664525u + 1013904223u;
            int rare = (state >> 12) % 48 <= (unsigned)odd % 4;
            at[i] = rare ? (char)(state >> 20) : likely[(state >> 20) % (odd < 8 ? 11 : sizeof likely - 1)];
        }
        const char* end = at + n;
        if (disagree("scan_token", at, n, scan_token(at, end), plainly(at, end, SCAN_TOKEN))
            || disagree("scan_value", at, n, scan_value(at, end), plainly(at, end, SCAN_VALUE))
            || disagree("scan_target", at, n, scan_target(at, end), plainly(at, end, SCAN_TARGET)))
            return 1;
        free(at);
    }
    return 0;
}
