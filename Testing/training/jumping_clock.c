/* A clock that is set while a program runs: one day forth, one day back, at every seventh look.
   Only the wall clock; what measures durations goes on evenly, as on a real computer. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>

int clock_gettime(clockid_t clock, struct timespec *now)
{
    static int (*real)(clockid_t, struct timespec *);
    static long looks;
    if (!real)
        real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int status = real(clock, now);
    if (clock == CLOCK_REALTIME)
        now->tv_sec += looks++ / 7 % 2 ? -86400 : 86400;
    return status;
}
