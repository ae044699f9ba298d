/* Every counter of a worker, in one table. The struct, the Python names and
 * the labels are made from it; counters.h and shard.pxd are all there is to
 * change for a new one.
 *
 *    field              values            labels            what is counted */
#ifndef EXT_COUNTERS_H
#define EXT_COUNTERS_H

#include <stddef.h>
#include <stdint.h>
#include "ext/base/faults.h"

/* Listener kinds, by what is served there. */
#define LISTENERS(X) \
    X(LISTENER_MAIN, "main") X(LISTENER_MAIN_TLS, "main_tls") X(LISTENER_ADMIN, "admin") \
    X(LISTENER_AUTOSCALER, "autoscaler") X(LISTENER_METRICS, "metrics") X(LISTENER_DEBUG, "debug")

/* Bounds that a peer can run into, by cause. */
#define BOUNDS(X) \
    X(BOUND_HEAD_BYTES, "head_bytes") X(BOUND_HEAD_TIME, "head_time") X(BOUND_TRAILER_BYTES, "trailer_bytes") \
    X(BOUND_IDLE_TIME, "idle_time") X(BOUND_INTERIM, "interim") \
    X(BOUND_H2_STREAMS, "h2_streams") X(BOUND_H2_RESETS, "h2_resets") \
    X(BOUND_H2_CONTINUATION, "h2_continuation") X(BOUND_H2_PINGS, "h2_pings") \
    X(BOUND_H2_SETTINGS, "h2_settings") X(BOUND_H2_EMPTY, "h2_empty_frames") X(BOUND_H2_WINDOW, "h2_window") \
    X(BOUND_TLS_TIME, "tls_time") X(BOUND_DESCRIPTORS, "descriptors") X(BOUND_BUFFERS, "buffers")

/* What observing mends; the order is that of mend_cause in ext/http/head.pxd. */
#define MENDS(X) \
    X(MENDED_LENGTHS, "lengths") X(MENDED_LINE_END, "line_end") X(MENDED_FOLD, "fold") \
    X(MENDED_BOTH_LENGTHS, "both_lengths") X(MENDED_NAME_SPACE, "name_space") \
    X(MENDED_STATUS_SPACE, "status_space") X(MENDED_CHUNK_SPACE, "chunk_space")

#define LABEL_ENUM(id, label) id,
enum listener_kind { LISTENERS(LABEL_ENUM) LISTENER_COUNT };
enum bound_cause { BOUNDS(LABEL_ENUM) BOUND_COUNT };
enum mended_cause { MENDS(LABEL_ENUM) MENDED_COUNT };
#undef LABEL_ENUM

#define COUNTERS(X) \
    X(conns_opened,          LISTENER_COUNT,   listener_labels)  /* connections accepted */ \
    X(conns_closed,          LISTENER_COUNT,   listener_labels)  /* of those, closed again */ \
    X(requests,              LISTENER_COUNT,   listener_labels)  /* request heads read */ \
    X(probes,                1,                no_labels)        /* requests answered as probes */ \
    X(faults,                FAULT_COUNT,      no_labels)        /* by ext.base.faults; row 0 stays zero */ \
    X(mended,                MENDED_COUNT,     mended_labels)    /* messages mended while observing */ \
    X(bounds_hit,            BOUND_COUNT,      bound_labels)     /* bounds that a peer ran into */ \
    X(bytes_in,              1,                no_labels)        /* read from callers */ \
    X(bytes_out,             1,                no_labels)        /* written to callers */ \
    X(upstream_bytes_in,     1,                no_labels)        /* read from upstreams */ \
    X(upstream_bytes_out,    1,                no_labels)        /* written to upstreams */ \
    X(upstream_conns_opened, 1,                no_labels)        /* connects that succeeded */ \
    X(upstream_conns_closed, 1,                no_labels)        /* of those, closed again */ \
    X(pool_hits,             1,                no_labels)        /* requests sent on an idle connection */ \
    X(pool_misses,           1,                no_labels)        /* requests that needed a connect */ \
    X(pool_closed_by_peer,   1,                no_labels)        /* idle connections that the peer closed */ \
    X(pool_closed_early,     1,                no_labels)        /* left before the peer's learnt idle time */ \
    X(retries,               1,                no_labels)        /* requests sent once more */ \
    X(retries_unsafe,        1,                no_labels)        /* lost on a reused connection, not repeatable */ \
    X(interim,               1,                no_labels)        /* 1xx answers passed on */ \
    X(upgrades,              1,                no_labels)        /* connections that turned raw */ \
    X(upgrades_ended,        1,                no_labels)        /* of those, ended again */ \
    X(waits,                 1,                no_labels)        /* requests that were parked */ \
    X(waited_ns,             1,                no_labels)        /* time they were parked, in all */ \
    X(abandoned,             1,                no_labels)        /* parked requests whose caller left */ \
    X(tls_handshakes,        1,                no_labels)        /* handshakes completed */ \
    X(journal_records,       1,                no_labels)        /* records written */ \
    X(journal_dropped,       1,                no_labels)        /* records that found the journal full */ \
    X(last_request_start_ns, 1,                no_labels)        /* when the newest request came; a time, not a count */

#define COUNTER_FIELD(name, count, labels) uint64_t name[count];
struct shard { COUNTERS(COUNTER_FIELD) };
#undef COUNTER_FIELD

#define LABEL_TEXT(id, label) label,
static const char* const listener_labels[] = {LISTENERS(LABEL_TEXT) NULL};
static const char* const bound_labels[] = {BOUNDS(LABEL_TEXT) NULL};
static const char* const mended_labels[] = {MENDS(LABEL_TEXT) NULL};
static const char* const no_labels[] = {NULL};
#undef LABEL_TEXT

struct counter_row {
    const char* name;
    size_t offset;
    int count;
    const char* const* labels;
};

#define COUNTER_ROW(name, count, labels) {#name, offsetof(struct shard, name), count, labels},
__attribute__((unused)) static const struct counter_row counter_table[] = {COUNTERS(COUNTER_ROW) {NULL, 0, 0, NULL}};
#undef COUNTER_ROW

#endif
