#include "hdf5/driver.h"

#include "hdf5/journal.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/endian.h"
#include "util/thread.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SUPERBLOCK_BYTES 48 /* of version 3 */
uint64_t vvi_hdf5_quarantine_ns = (uint64_t)600 * 1000000000;

/* ---- what is kept ------------------------------------------------------------------------------ */

static bool overlap(uint64_t a, size_t a_len, uint64_t b, size_t b_len)
{
    return a < b + b_len && b < a + a_len;
}

static bool is_kept(const vvi_hdf5_file *self, uint64_t address, size_t len)
{
    for (size_t i = 0; i < self->kept_count; i++)
        if (overlap(address, len, self->kept[i].address, self->kept[i].len))
            return true;
    return false;
}

vv_status vvi_hdf5_file_keep(vvi_hdf5_file *self, uint64_t address, vv_bytes bytes,
                             vv_error *err)
{
    VVI_TRY(vvi_grow((void **)&self->kept, &self->kept_cap, self->kept_count + 1,
                     sizeof(*self->kept), err));
    VVI_TRY(vvi_buf_append(&self->bytes, bytes, err));
    self->kept[self->kept_count++] = (vvi_hdf5_kept){ .address = address,
                                                      .at = self->bytes.len - bytes.len,
                                                      .len = bytes.len };
    return VV_OK;
}

static vv_status write_through(vvi_hdf5_file *self, uint64_t address, vv_bytes bytes,
                               vv_error *err)
{
    VVI_TRY(vvi_file_write_at(&self->file, address, bytes, err));
    if (self->size < address + bytes.len)
        self->size = address + bytes.len;
    return VV_OK;
}

vv_status vvi_hdf5_file_put(vvi_hdf5_file *self, uint64_t address, vv_bytes bytes,
                            bool meant, vv_error *err)
{
    if (!self->straight &&
        ((meant && address < self->known) || is_kept(self, address, bytes.len)))
        return vvi_hdf5_file_keep(self, address, bytes, err);
    return write_through(self, address, bytes, err);
}

vv_status vvi_hdf5_file_read(const vvi_hdf5_file *self, uint64_t address, void *out,
                             size_t len, vv_error *err)
{
    size_t got;

    VVI_TRY(vvi_file_read_at(&self->file, address, out, len, &got, err));
    memset((uint8_t *)out + got, 0, len - got);
    for (size_t i = 0; i < self->kept_count; i++) {
        const vvi_hdf5_kept *one = &self->kept[i];
        uint64_t from = one->address > address ? one->address : address;
        uint64_t to = one->address + one->len < address + len ? one->address + one->len
                                                              : address + len;

        if (from < to)
            memcpy((uint8_t *)out + (from - address),
                   self->bytes.data + one->at + (from - one->address),
                   (size_t)(to - from));
    }
    return VV_OK;
}

/* ---- commits ----------------------------------------------------------------------------------- */

/* Write what is kept into the file, in its order; of the superblock only, or of all but it. */
static vv_status apply(vvi_hdf5_file *self, bool superblock, bool rest, vv_error *err)
{
    for (size_t i = 0; i < self->kept_count; i++) {
        const vvi_hdf5_kept *one = &self->kept[i];

        if (one->address < SUPERBLOCK_BYTES ? superblock : rest)
            VVI_TRY(write_through(self, one->address,
                                  vvi_bytes(self->bytes.data + one->at, one->len), err));
    }
    return VV_OK;
}

/* Only the last superblock counts: no state between two commits is to be seen in the file. libhdf5 does not mark it as
 * open below a driver that is not its own. */
static void mark_superblock(vvi_hdf5_file *self, uint8_t flags)
{
    size_t last = self->kept_count;
    size_t to = 0;

    for (size_t i = 0; i < self->kept_count; i++)
        if (self->kept[i].address < SUPERBLOCK_BYTES)
            last = i;
    for (size_t i = 0; i < self->kept_count; i++)
        if (i == last || self->kept[i].address >= SUPERBLOCK_BYTES)
            self->kept[to++] = self->kept[i];
    self->kept_count = to;
    for (size_t i = 0; i < to; i++) {
        uint8_t *block = self->bytes.data + self->kept[i].at;

        if (self->kept[i].address != 0 || self->kept[i].len < SUPERBLOCK_BYTES)
            continue;
        block[11] = flags;
        vvi_put_le32(block + 44, vvi_h5_checksum(vvi_bytes(block, 44)));
    }
}

static vv_status commit(vvi_hdf5_file *self, bool durable, bool last, vv_error *err)
{
    mark_superblock(self, last ? 0 : VVI_HDF5_OPEN);
    /* A reader holds the end that the superblock states to the file's length. */
    if (self->size < self->end) {
        VVI_TRY(vvi_file_truncate(&self->file, self->end, err));
        self->size = self->end;
    }
    if (durable) /* raw data, and what the commit before wrote behind its journal */
        VVI_TRY(vvi_file_sync(&self->file, err));
    VVI_TRY(vvi_hdf5_journal_record(self, err));
    VVI_TRY(vvi_file_write_at(&self->journal, VVI_H5_JOURNAL_RECORD,
                              vvi_buf_bytes(&self->record), err));
    if (durable)
        VVI_TRY(vvi_file_sync(&self->journal, err));
    self->seq++;
    if (!last)
        return apply(self, true, true, err);
    VVI_TRY(apply(self, false, true, err));
    if (self->size > self->end) {
        VVI_TRY(vvi_file_truncate(&self->file, self->end, err));
        self->size = self->end;
    }
    if (durable)
        VVI_TRY(vvi_file_sync(&self->file, err));
    VVI_TRY(apply(self, true, false, err));
    return durable ? vvi_file_sync(&self->file, err) : VV_OK;
}

static vv_status latch(vvi_hdf5_file *self, vv_status status, vv_error *err)
{
    if (!self->failed && err)
        self->failure = *err;
    self->failed = true;
    return status;
}

vv_status vvi_hdf5_file_commit(vvi_hdf5_file *self, bool durable, bool last,
                               vv_error *err)
{
    vv_error why = VV_ERROR_INIT;
    vv_status status;

    if (self->failed)
        return vvi_fail(err, self->failure.status, "%s", self->failure.message);
    if (!self->kept_count && !last) {
        if (durable)
            status = vvi_file_sync(&self->file, &why);
        else
            return VV_OK;
    } else {
        status = commit(self, durable, last, &why);
    }
    if (status) {
        latch(self, status, &why);
        return vvi_fail(err, status, "%s", why.message);
    }
    self->kept_count = 0;
    self->bytes.len = 0;
    self->known = self->end;
    return VV_OK;
}

vv_status vvi_hdf5_file_flag(vvi_hdf5_file *self, uint8_t flags, vv_error *err)
{
    uint8_t block[SUPERBLOCK_BYTES];

    VVI_TRY(vvi_hdf5_file_read(self, 0, block, sizeof(block), err));
    block[11] = flags;
    vvi_put_le32(block + 44, vvi_h5_checksum(vvi_bytes(block, 44)));
    return self->straight
               ? write_through(self, 0, vvi_bytes(block, sizeof(block)), err)
               : vvi_hdf5_file_keep(self, 0, vvi_bytes(block, sizeof(block)), err);
}

/* ---- space that was given up -------------------------------------------------------------------- */

vv_status vvi_hdf5_file_waste(vvi_hdf5_file *self, uint64_t address, uint64_t len,
                              vv_error *err)
{
    VVI_TRY(vvi_grow((void **)&self->waste, &self->waste_cap, self->waste_count + 1,
                     sizeof(*self->waste), err));
    self->waste[self->waste_count++] = (vvi_hdf5_span){
        .address = address, .len = len, .seq = self->seq + 1, .since = vvi_now_ns()
    };
    return VV_OK;
}

void vvi_hdf5_file_reuse(vvi_hdf5_file *self, uint64_t len)
{
    uint64_t now = vvi_now_ns();

    self->reuse = 0;
    for (size_t i = 0; i < self->waste_count; i++) {
        const vvi_hdf5_span *one = &self->waste[i];

        if (one->len != len || one->seq > self->seq ||
            now - one->since < vvi_hdf5_quarantine_ns)
            continue;
        self->reuse = one->address;
        self->reuse_len = len;
        self->waste[i] = self->waste[--self->waste_count];
        return;
    }
}

uint64_t vvi_hdf5_file_give_back(vvi_hdf5_file *self)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < self->waste_count; i++) {
        const vvi_hdf5_span *one = &self->waste[i];

        if (one->address + one->len <= self->size &&
            vvi_file_punch(&self->file, one->address, one->len))
            bytes += one->len;
    }
    self->waste_count = 0;
    self->apart += bytes;
    return bytes;
}

/* ---- what libhdf5 calls ------------------------------------------------------------------------- */

static hid_t driver_id = -1; /* guarded by libhdf5's lock */

static H5FD_t *driver_open(const char *name, unsigned flags, hid_t fapl, haddr_t maxaddr)
{
    vvi_hdf5_file *const *given = H5Pget_driver_info(fapl);

    (void)name;
    (void)flags;
    (void)maxaddr;
    if (!given || !*given)
        return NULL;
    return &(*given)->public;
}

static herr_t driver_close(H5FD_t *file)
{
    (void)file; /* its owner closes it */
    return 0;
}

static int driver_cmp(const H5FD_t *a, const H5FD_t *b)
{
    return a < b ? -1 : a > b;
}

static herr_t driver_query(const H5FD_t *file, unsigned long *flags)
{
    (void)file;
    *flags = H5FD_FEAT_SUPPORTS_SWMR_IO | H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
    return 0;
}

static haddr_t driver_alloc(H5FD_t *file, H5FD_mem_t type, hid_t dxpl, hsize_t len)
{
    vvi_hdf5_file *self = (vvi_hdf5_file *)file;
    haddr_t address = self->end;

    (void)dxpl;
    if (type == H5FD_MEM_DRAW && self->reuse && self->reuse_len == len) {
        self->taken = self->reuse;
        self->reuse = 0;
        return self->taken;
    }
    self->end += len;
    return address;
}

static haddr_t driver_get_eoa(const H5FD_t *file, H5FD_mem_t type)
{
    (void)type;
    return ((const vvi_hdf5_file *)file)->end;
}

static herr_t driver_set_eoa(H5FD_t *file, H5FD_mem_t type, haddr_t address)
{
    (void)type;
    ((vvi_hdf5_file *)file)->end = address;
    return 0;
}

static haddr_t driver_get_eof(const H5FD_t *file, H5FD_mem_t type)
{
    const vvi_hdf5_file *self = (const vvi_hdf5_file *)file;

    (void)type;
    /* What is kept counts as written, also what was before the file was opened again. */
    if (self->reach > self->size && self->reach > self->end)
        return self->reach;
    return self->size > self->end ? self->size : self->end;
}

static herr_t driver_read(H5FD_t *file, H5FD_mem_t type, hid_t dxpl, haddr_t address,
                          size_t len, void *out)
{
    vvi_hdf5_file *self = (vvi_hdf5_file *)file;
    vv_error why = VV_ERROR_INIT;

    (void)type;
    (void)dxpl;
    return vvi_hdf5_file_read(self, address, out, len, &why)
               ? (latch(self, why.status, &why), -1)
               : 0;
}

static herr_t driver_write(H5FD_t *file, H5FD_mem_t type, hid_t dxpl, haddr_t address,
                           size_t len, const void *data)
{
    vvi_hdf5_file *self = (vvi_hdf5_file *)file;
    vv_error why = VV_ERROR_INIT;
    vv_status status;

    (void)dxpl;
    if (self->dead || self->failed || getpid() != self->owner)
        return 0;
    if (type == H5FD_MEM_DRAW) {
        self->raw_at = address;
        if (self->raw_only && self->raw_only < len)
            len = self->raw_only;
        self->raw_only = 0;
        status = vvi_hdf5_file_put(self, address, vvi_bytes(data, len),
                                   address != self->taken, &why);
        self->taken = 0;
    } else if (self->straight) {
        status = write_through(self, address, vvi_bytes(data, len), &why);
    } else {
        status = vvi_hdf5_file_keep(self, address, vvi_bytes(data, len), &why);
    }
    /* libhdf5 is not told: it would leave half of its own undone, and end the program later over that. Nothing is
     * committed after a failure. */
    if (status)
        latch(self, status, &why);
    return 0;
}

static herr_t driver_truncate(H5FD_t *file, hid_t dxpl, hbool_t closing)
{
    vvi_hdf5_file *self = (vvi_hdf5_file *)file;
    vv_error why = VV_ERROR_INIT;

    (void)dxpl;
    (void)closing;
    if (!self->straight || self->dead || self->failed || self->size == self->end ||
        getpid() != self->owner)
        return 0;
    if (vvi_file_truncate(&self->file, self->end, &why))
        latch(self, why.status, &why);
    else
        self->size = self->end;
    return 0;
}

static const H5FD_class_t driver = {
#ifdef H5FD_CLASS_VERSION
    .version = H5FD_CLASS_VERSION,
    .value = (H5FD_class_value_t)600,
#endif
    .name = "varvite",
    .maxaddr = (haddr_t)INT64_MAX,
    .fc_degree = H5F_CLOSE_STRONG,
    .fapl_size = sizeof(vvi_hdf5_file *),
    .open = driver_open,
    .close = driver_close,
    .cmp = driver_cmp,
    .query = driver_query,
    .alloc = driver_alloc,
    .get_eoa = driver_get_eoa,
    .set_eoa = driver_set_eoa,
    .get_eof = driver_get_eof,
    .read = driver_read,
    .write = driver_write,
    .truncate = driver_truncate,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

/* ---- opening ----------------------------------------------------------------------------------- */

vv_status vvi_hdf5_file_open(vvi_hdf5_file *self, const char *path, bool part,
                             vv_error *err)
{
    unsigned flags = VVI_FILE_WRITE;

    memset(self, 0, sizeof(*self));
    self->journal = VVI_FILE_INIT;
    self->owner = getpid();
    self->straight = part;
    if (part)
        flags |= VVI_FILE_CREATE | VVI_FILE_EXCLUSIVE;
    VVI_TRY(vvi_file_open(&self->file, path, flags, err));
    VVI_TRY(vvi_file_size(&self->file, &self->size, err));
    self->known = self->size;
    return VV_OK;
}

void vvi_hdf5_file_close(vvi_hdf5_file *self)
{
    if (self->file.path) {
        if (!self->straight) /* a child of a fork would go on to hold it */
            (void)vvi_file_lock(&self->file, VVI_LOCK_NONE, 0, NULL);
        vvi_file_close(&self->file);
    }
    vvi_hdf5_journal_drop(&self->journal);
    vvi_free(self->kept);
    vvi_free(self->waste);
    self->waste = NULL;
    self->waste_count = self->waste_cap = 0;
    vv_buf_clear(&self->bytes);
    vv_buf_clear(&self->record);
    self->kept = NULL;
    self->kept_count = self->kept_cap = 0;
}

vv_status vvi_hdf5_file_leave(vvi_hdf5_file *self, hid_t id, bool discard, vv_error *err)
{
    self->dead |= discard || self->failed;
    if (H5Fclose(id) < 0) {
        self->stuck = true;
        self->dead = true;
        return vvi_hdf5_fail(self, err, "close %s", self->file.path);
    }
    if (self->failed)
        return vvi_fail(err, self->failure.status, "%s", self->failure.message);
    return VV_OK;
}

vv_status vvi_hdf5_file_end(vvi_hdf5_file *self, hid_t id, vv_status status,
                            vv_error *err)
{
    vv_status closed = vvi_hdf5_file_leave(self, id, status != VV_OK,
                                           status ? NULL : err);

    return status ? status : closed;
}

/* Files that libhdf5 goes on to use until the program ends; guarded by its lock, or ours alone after a fork. */
static vvi_hdf5_file *forgotten;

void vvi_hdf5_file_forget(vvi_hdf5_file *self)
{
    self->dead = true;
    self->next = forgotten;
    forgotten = self;
}

void vvi_hdf5_file_free(vvi_hdf5_file *self)
{
    if (!self)
        return;
    vvi_hdf5_file_close(self);
    if (self->stuck)
        vvi_hdf5_file_forget(self);
    else
        vvi_free(self);
}

hid_t vvi_hdf5_file_enter(vvi_hdf5_file *self, bool create, bool swmr)
{
    hid_t fapl = H5Pcreate(H5P_FILE_ACCESS);
    hid_t file = -1;

    self->reach = self->end;
    if (driver_id < 0)
        driver_id = H5FDregister(&driver);
    if (fapl >= 0 && driver_id >= 0 &&
        H5Pset_libver_bounds(fapl, H5F_LIBVER_V110, H5F_LIBVER_V110) >= 0 &&
        H5Pset_fclose_degree(fapl, H5F_CLOSE_STRONG) >= 0 &&
        H5Pset_driver(fapl, driver_id, &self) >= 0) {
        if (create)
            file = H5Fcreate(self->file.path, H5F_ACC_TRUNC, H5P_DEFAULT, fapl);
        else
            file = H5Fopen(self->file.path,
                           H5F_ACC_RDWR | (swmr ? H5F_ACC_SWMR_WRITE : 0), fapl);
    }
    if (fapl >= 0)
        H5Pclose(fapl);
    return file;
}

/* ---- errors ------------------------------------------------------------------------------------ */

static char said[VV_ERROR_MESSAGE_SIZE]; /* guarded by libhdf5's lock */

/* The innermost message says the most. */
static herr_t innermost(unsigned n, const H5E_error2_t *one, void *ctx)
{
    (void)n;
    (void)ctx;
    if (one->desc)
        snprintf(said, sizeof(said), "%s", one->desc);
    return 0;
}

/* Called by libhdf5 as soon as a call of it fails: the next call, to close something, forgets why. */
static herr_t note_failure(hid_t stack, void *ctx)
{
    (void)ctx;
    return H5Ewalk2(stack, H5E_WALK_DOWNWARD, innermost, NULL);
}

void vvi_hdf5_enter(void)
{
    vvi_hdf5_lock();
    said[0] = '\0';
    H5Eset_auto2(H5E_DEFAULT, note_failure, NULL);
}

void vvi_hdf5_leave(void)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    vvi_hdf5_unlock();
}

vv_status vvi_hdf5_fail(const vvi_hdf5_file *self, vv_error *err, const char *format, ...)
{
    char what[VV_ERROR_MESSAGE_SIZE];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    if (self && self->failed)
        return vvi_fail(err, self->failure.status, "%s: %s", what, self->failure.message);
    return vvi_fail(err, VV_EIO, "%s: libhdf5: %s", what,
                    said[0] ? said : "it does not say why");
}
