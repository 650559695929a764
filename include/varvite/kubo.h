/*
 * Blocks in IPFS: a block store over the RPC of a Kubo daemon and over gateways.
 *
 * Every block is checked against its CID before it is handed out. A gateway that answered with other bytes is
 * named, passed by, and the next one is asked; so no gateway has to be trusted. How requests are tried again and
 * spread over gateways: docs/ipfs.md.
 *
 * Reading, writing, asking and listing go through the calls of blockstore.h; here are making such a store, and
 * what only a daemon has: pins, and files.
 *
 * Threads: every call may be made from any thread at any time. A child of a fork opens its own.
 */
#ifndef VARVITE_KUBO_H
#define VARVITE_KUBO_H

#include <varvite/base.h>
#include <varvite/blockstore.h>
#include <varvite/cid.h>
#include <varvite/http.h>

#ifdef __cplusplus
extern "C" {
#endif

/** No retry at all, where 0 means the default number. */
#define VV_KUBO_NO_RETRIES (-1)

/** In which order gateways and retries go. */
typedef enum vv_kubo_failover {
    /** The next gateway first; one that failed is tried again, after its wait, when no other is left. A missing
     *  block does not speak against a gateway. */
    VV_KUBO_NEXT_FIRST = 0,
    /** As py-hamt 3.6: all retries of one gateway, then the next one; a missing block counts as its failure. */
    VV_KUBO_RETRY_FIRST
} vv_kubo_failover;

/** How blocks are written. The CIDs are the same. */
typedef enum vv_kubo_write {
    /** As files of one raw leaf (add), as py-hamt does; what is longer than a chunk by block/put. */
    VV_KUBO_ADD = 0,
    VV_KUBO_BLOCK_PUT /** All by block/put. */
} vv_kubo_write;

/** Zero means the default, everywhere. Texts and lists are copied. */
typedef struct vv_kubo_options {
    size_t struct_size;
    /** "http://127.0.0.1:5001". NULL with gateways: the store is read-only. */
    const char *rpc_url;
    /** Each with or without "/ipfs" at its end. NULL: what is read is read through the RPC; both NULL:
     *  http://127.0.0.1:5001 and the gateway http://127.0.0.1:8080. */
    const char *const *gateway_urls;
    size_t gateway_count;
    const char *hasher; /**< of vv_kubo_add(); NULL: "blake3" */
    const char
        *chunker;    /**< "size-N", "rabin", "rabin-MIN-AVG-MAX"; NULL: "size-1048576" */
    bool pin_on_add; /**< the daemon pins every block that is written */
    /** Do not check blocks and the daemon's answers; ranges are then asked for as ranges. */
    bool trusted;
    bool read_only;
    /** Write blocks of more than 2 MiB, which no other IPFS node will fetch. Without it: VV_ELIMIT. */
    bool allow_big_blocks;
    /** Cut gateway URLs at their first "/ipfs/", as py-hamt 3.3 does. */
    bool cut_gateway_urls;
    vv_kubo_write write;
    vv_kubo_failover failover;
    /** Requests at the same time, of each gateway, and as many for the RPC; 0: 32. */
    int32_t max_in_flight;
    int32_t max_retries;         /**< of a request; 0: 3, VV_KUBO_NO_RETRIES: none */
    double initial_delay_s;      /**< before the first retry; 0: 1 */
    double backoff_factor;       /**< at least 1; 0: 2 */
    uint32_t connect_timeout_ms; /**< 0: 30 000 */
    uint32_t idle_timeout_ms;  /**< no byte in either direction for so long; 0: 60 000 */
    uint32_t total_timeout_ms; /**< a request with its retries; 0: 20 minutes */
    uint64_t max_block_bytes;  /**< longer answers are refused; 0: 64 MiB */
    /** Sent, like user and password, to the RPC and to the first gateway only. */
    const vv_http_header *headers;
    size_t header_count;
    const char *user, *password; /**< HTTP Basic; user NULL: none */
    const char *proxy;           /**< NULL: from the environment; "": none */
    const char *ca_file;         /**< certificates to trust; NULL: the system's */
    /** Told of each gateway that failed a block (VV_ECORRUPT: it lied), from the thread that asked. NULL: not
     *  wanted. */
    void (*gateway_failed)(void *ctx, const char *gateway, const vv_cid *cid,
                           vv_status status, const char *message);
    void *ctx;
} vv_kubo_options;
#define VV_KUBO_OPTIONS_INIT ((vv_kubo_options){ .struct_size = sizeof(vv_kubo_options) })

/**
 * Make a block store over a daemon, over gateways, or both. Nothing is asked yet.
 *
 * vv_blockstore_has(), _size(), _delete(), _iterate() and _stat() ask the daemon for what it holds itself; without
 * an RPC, has and size ask the gateways, and the others are VV_EREADONLY or VV_EUNSUPPORTED. A flush has nothing
 * to do: what was put, the daemon has. Reading a block tells not found (VV_ENOTFOUND: everybody who was asked said
 * so) apart from unreachable (VV_EIO, VV_ETIMEDOUT, VV_EAUTH: somebody could not say).
 *
 * @return VV_OK, VV_EINVAL (an option; the message names it), VV_ENOMEM
 */
VV_API vv_status vv_kubo_open(const vv_kubo_options *options, vv_blockstore **out,
                              vv_error *err);

/**
 * The same from a URL, with the rest from options (NULL: defaults), which must name neither RPC nor gateways:
 * - "kubo://HOST:PORT": the RPC there, for reading too; kubo+https:// by TLS; "?gateway=URL" (several times) reads
 *   from gateways, "?pin=true" pins;
 * - "gateway+https://HOST,https://OTHER": gateways, read-only.
 * "NAME:PASSWORD@" before the first host is taken for user and password, which that host alone is told: not the
 * gateways of a kubo:// URL.
 */
VV_API vv_status vv_kubo_open_url(const char *url, const vv_kubo_options *options,
                                  vv_blockstore **out, vv_error *err);

/** Every call that other threads make on the store at this moment ends with VV_ECANCELED. */
VV_API vv_status vv_kubo_cancel(vv_blockstore *store, vv_error *err);

/**
 * Add bytes as py-hamt's KuboCAS saves them: as a file, hashed and cut as the options say.
 *
 * @param codec  the codec that cid gets: the daemon says raw. A file of several chunks keeps dag-pb, and its CID is
 *               the daemon's word; a codec other than raw is then written whole by block/put.
 * @return VV_OK, VV_EREADONLY (no RPC), VV_ECORRUPT (the daemon named the bytes otherwise), VV_EIO, …
 */
VV_API vv_status vv_kubo_add(vv_blockstore *store, vv_bytes data, uint32_t codec,
                             vv_cid *cid, vv_error *err);
/**
 * Read as KuboCAS loads: as vv_blockstore_get_range(), but of a dag-pb CID the file that it names. That cannot be
 * checked, so it is VV_EUNSUPPORTED unless the store was opened as trusted.
 */
VV_API vv_status vv_kubo_load_range(vv_blockstore *store, const vv_cid *cid,
                                    vv_range range, vv_buf *out, vv_error *err);

/** Keep a block, with all below it if recursive, from the daemon's garbage collection.
 *  @param name  shown by pin ls; NULL: none
 *  @return VV_OK, VV_ENOTFOUND (a block is missing), VV_EEXISTS (pinned recursively already), VV_EREADONLY (no RPC),
 *          VV_EIO, VV_EAUTH, VV_ETIMEDOUT, VV_ENOMEM. A pin is asked for once, never again after a failure. */
VV_API vv_status vv_kubo_pin_add(vv_blockstore *store, const vv_cid *cid, bool recursive,
                                 const char *name, vv_error *err);
/** @return VV_ENOTFOUND: not pinned, or only through another pin */
VV_API vv_status vv_kubo_pin_rm(vv_blockstore *store, const vv_cid *cid, bool recursive,
                                vv_error *err);
/** Pin to in place of from, which shares most blocks with it; keep_old keeps both.
 *  @return VV_ENOTFOUND: from is not pinned */
VV_API vv_status vv_kubo_pin_update(vv_blockstore *store, const vv_cid *from,
                                    const vv_cid *to, bool keep_old, vv_error *err);

typedef struct vv_kubo_pin {
    vv_cid cid;
    const char *type; /* "recursive", "direct", "indirect" */
    const char *name; /* "" without one */
} vv_kubo_pin;
/** Told of each pin; any status but VV_OK ends the listing and is returned. */
typedef vv_status (*vv_kubo_pin_fn)(void *ctx, const vv_kubo_pin *pin, vv_error *err);
/** List pins. @param type  "recursive", "direct", "indirect"; NULL: all, for which the daemon walks everything */
VV_API vv_status vv_kubo_pin_ls(vv_blockstore *store, const char *type,
                                vv_kubo_pin_fn visit, void *ctx, vv_error *err);

/** What a gateway did so far. */
typedef struct vv_kubo_gateway {
    const char *url;   /* until the store is freed */
    uint64_t loads;    /* blocks it gave */
    uint64_t failures; /* blocks it did not give, missing ones not counted */
    uint64_t lies;     /* blocks it gave wrong bytes for */
    bool is_tripped;   /* failed three times in a row: asked last for 30 s */
} vv_kubo_gateway;
/** @return VV_OK, VV_ERANGE (there are index gateways or fewer), VV_EINVAL (not such a store) */
VV_API vv_status vv_kubo_gateway_at(vv_blockstore *store, size_t index,
                                    vv_kubo_gateway *out, vv_error *err);

#ifdef __cplusplus
}
#endif
#endif
