/* Everything: include this, or the header of the room you use. */
#ifndef VARVITE_VARVITE_H
#define VARVITE_VARVITE_H

#include <varvite/base.h>
#include <varvite/blockstore.h>
#include <varvite/calendar.h>
#include <varvite/car.h>
#include <varvite/cbor.h>
#include <varvite/cid.h>
#include <varvite/convert.h>
#include <varvite/copy.h>
#include <varvite/crypto.h>
#include <varvite/dag.h>
#include <varvite/dataset.h>
#include <varvite/dtype.h>
#include <varvite/encrypted.h>
#include <varvite/hamt.h>
#include <varvite/hash.h>
#include <varvite/http.h>
#include <varvite/kubo.h>
#include <varvite/local.h>
#include <varvite/metrics.h>
#include <varvite/open.h>
#include <varvite/plot.h>
#include <varvite/pytree.h>
#include <varvite/recorder.h>
#include <varvite/sharded.h>
#include <varvite/stats.h>
#include <varvite/store.h>
#include <varvite/trajectory.h>
#include <varvite/zarr.h>

#endif
