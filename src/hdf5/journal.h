/* The journal of an HDF5 recording, written. Its bytes: docs/format/trajectory.md, "The journal". */
#ifndef VVI_HDF5_JOURNAL_H
#define VVI_HDF5_JOURNAL_H

#include "h5/journal.h"
#include "hdf5/driver.h"

/* Open and lock the journal beside a recording, made if need be: who holds it is the one writer. VV_EBUSY. */
vv_status vvi_hdf5_journal_open(const char *path, vvi_file *out, vv_error *err);
/* Remove the journal of a closed recording, and let go of it. One that stays does no harm. */
void vvi_hdf5_journal_end(vvi_file *journal);
/* Let go of it; it stays if it holds anything, which a killed writer needs. */
void vvi_hdf5_journal_drop(vvi_file *journal);

/* Make the journal, which is open, that of a recording whose id stands at id_at. It is synced; its name may not be. */
vv_status vvi_hdf5_journal_begin(vvi_hdf5_file *self, const char *id, vv_error *err);

/* Build self->record from what is kept. */
vv_status vvi_hdf5_journal_record(vvi_hdf5_file *self, vv_error *err);

#endif
