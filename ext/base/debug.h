/* Live counters and checks that exist only in a debug build (EXT_DEBUG).
 *
 * A counter for each kind of object; tests read them after every case and
 * expect zero. In a release build every macro here is empty. */
#ifndef EXT_DEBUG_H
#define EXT_DEBUG_H

enum ext_live_kind {
    LIVE_ARENA, LIVE_BLOCK, LIVE_TRANSPORT, LIVE_CONN, LIVE_STREAM,
    LIVE_EXCHANGE, LIVE_TICKET, LIVE_KINDS
};

#ifdef EXT_DEBUG
#include <stdio.h>
#include <stdlib.h>
/* Weak: every module that includes this header names one and the same array. */
__attribute__((weak)) long ext_live[LIVE_KINDS];
#define LIVE_UP(kind) ((void)__atomic_add_fetch(&ext_live[kind], 1, __ATOMIC_RELAXED))
#define LIVE_DOWN(kind) ((void)__atomic_sub_fetch(&ext_live[kind], 1, __ATOMIC_RELAXED))
#define LIVE_COUNT(kind) __atomic_load_n(&ext_live[kind], __ATOMIC_RELAXED)
#define EXT_CHECK(what) \
    do { if (!(what)) { fprintf(stderr, "check failed: %s (%s:%d)\n", #what, __FILE__, __LINE__); abort(); } } while (0)
#define EXT_IS_DEBUG 1
#else
#define LIVE_UP(kind) ((void)0)
#define LIVE_DOWN(kind) ((void)0)
#define LIVE_COUNT(kind) 0L
#define EXT_CHECK(what) ((void)0)
#define EXT_IS_DEBUG 0
#endif

#endif
