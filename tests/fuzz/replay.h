/* replay.h: the `main` of a fuzz target with -DFUZZ_REPLAY: it runs the lines of the files it is
 * given, an input each. */
#ifndef REPLAY_H
#define REPLAY_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "hex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#ifdef FUZZ_REPLAY
int main(int argc, char **argv)
{
    static char line[1 << 16];
    static uint8_t octets[sizeof line / 2];
    unsigned inputs = 0;

    for (int i = 1; i < argc; i++) {
        FILE *in = fopen(argv[i], "r");

        if (in == NULL)
            return 1;
        while (fgets(line, sizeof line, in) != NULL) {
            size_t len = strcspn(line, "\n");

            line[len] = '\0';
            if (hex_decode(line, octets, len / 2) != 0)
                return 1;
            LLVMFuzzerTestOneInput(octets, len / 2);
            inputs++;
        }
        fclose(in);
    }
    printf("1..1\n%s - %u inputs\n", inputs > 0 ? "ok" : "not ok", inputs);
    return inputs == 0;
}
#endif

#endif
