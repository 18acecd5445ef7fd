// SPDX-License-Identifier: MIT
// Ring: one part in a ring of frames. Its memory is that of a Region, so that views of slots keep
// it mapped as views of any region do.
#include <cstdint>
#include <cstring>
#include <new>

#include "client_support.h"
#include "snakepit/shm/snakepit_shm_ring.h"

#include <structmember.h>

namespace snakepit::python {

namespace {

using detail::string;

constexpr std::uint64_t kShort = 1 << 16;  // bytes that are copied with the GIL

struct RingObject {
    PyObject_HEAD ModuleState* state;
    std::shared_ptr<Session> session;
    snakepit_shm_ring* ring;  // null: not opened, or closed
    PyObject* region;         // the Region with the memory
    bool busy;                // a thread is in a call without the GIL
    PyObject *dict, *weak;
};

RingObject* of(PyObject* self) {
    return reinterpret_cast<RingObject*>(self);
}

// The ring may be used by this call; an exception otherwise.
bool usable(const RingObject* self) {
    if (!self->ring)
        raise(self->state, SNAKEPIT_SHM_NOT_HELD, "the ring was closed: open it again");
    else if (self->busy)
        raise(self->state, SNAKEPIT_SHM_REGION_IN_USE,
              "another thread uses this Ring: open one for each thread");
    else
        return true;
    return false;
}

// Calls the library; without the GIL if the call may wait or copies much.
template <typename Call>
snakepit_shm_status use(RingObject* self, bool releases, Call call) {
    auto* const ring = self->ring;
    if (!releases) return call(ring);
    self->busy = true;
    const auto status = without_gil([&call, ring] { return call(ring); });
    self->busy = false;
    return status;
}

// None where the time was up.
PyObject* none_in_time(const RingObject* self, snakepit_shm_status status) {
    if (status == SNAKEPIT_SHM_TIMEOUT) Py_RETURN_NONE;
    return raise(self->state, status);
}

// The offset of a slot in the region.
bool place_of(const RingObject* self, const void* slot, std::uint64_t size, std::uint64_t& offset) {
    const auto* const region = reinterpret_cast<const RegionObject*>(self->region);
    const auto* const lease = region ? region->lease : nullptr;
    const auto begin = reinterpret_cast<std::uintptr_t>(lease ? lease->mapping.data : nullptr);
    offset = reinterpret_cast<std::uintptr_t>(slot) - begin;
    if (lease && offset <= lease->mapping.size && size <= lease->mapping.size - offset) return true;
    raise(self->state, SNAKEPIT_SHM_MAPPING_FAILED, "the slot is not in the region that is mapped");
    return false;
}

PyObject* ring_new(PyTypeObject* type, PyObject* /*arguments*/, PyObject* /*words*/) {
    const auto allocate = reinterpret_cast<allocfunc>(PyType_GetSlot(type, Py_tp_alloc));
    auto* const self = allocate(type, 0);
    if (self) new (&of(self)->session) std::shared_ptr<Session>;
    return self;
}

// open(client, name or None, (slot_size, slots, max_consumers, policy, region options) or None,
//      role, milliseconds): True; None if the role was not free in time
PyObject* ring_open(PyObject* self, PyObject* arguments) {
    PyObject *client = nullptr, *name = nullptr, *options = nullptr;
    int role = 0;
    unsigned milliseconds = 0;
    if (!PyArg_ParseTuple(arguments, "OOOiI", &client, &name, &options, &role, &milliseconds))
        return nullptr;
    auto* const connected = detail::of(client);
    of(self)->state = connected->state;
    of(self)->session = connected->session;
    if (!of(self)->session) return raise_closed(connected->state);
    const auto text = text_of(connected->state, name, "the ring", SNAKEPIT_SHM_INVALID_ARGUMENT,
                              options != Py_None);
    if (text.failed) return nullptr;
    snakepit_shm_ring_options chosen = SNAKEPIT_SHM_RING_OPTIONS_INIT;
    snakepit_shm_options region;
    if (options != Py_None) {
        PyObject* tuple = nullptr;
        unsigned long long slot_size = 0;
        int policy = 0;
        if (!PyArg_ParseTuple(options, "KIIiO", &slot_size, &chosen.slots, &chosen.max_consumers,
                              &policy, &tuple) ||
            !detail::read_options(tuple, region))
            return nullptr;
        chosen.slot_size = slot_size;
        chosen.policy = static_cast<snakepit_shm_ring_policy>(policy);
        chosen.region = &region;
    }
    auto* const handle = of(self)->session->handle();
    const auto part = static_cast<snakepit_shm_ring_role>(role);
    snakepit_shm_ring* ring = nullptr;
    const auto status = without_gil([&, handle, part] {
        return options != Py_None
                   ? snakepit_shm_ring_create(handle, text.bytes, &chosen, part, milliseconds,
                                              &ring)
                   : snakepit_shm_ring_open(handle, text.bytes, part, milliseconds, &ring);
    });
    if (status != SNAKEPIT_SHM_OK) return none_in_time(of(self), status);
    of(self)->ring = ring;
    Py_RETURN_TRUE;
}

// use_memory(region)
PyObject* ring_use_memory(PyObject* self, PyObject* region) {
    if (!PyObject_TypeCheck(region, of(self)->state->region)) {
        PyErr_SetString(PyExc_TypeError, "the memory of a ring is a Region");
        return nullptr;
    }
    Py_XDECREF(of(self)->region);
    of(self)->region = Py_NewRef(region);
    Py_RETURN_NONE;
}

PyObject* ring_leave(PyObject* self, PyObject* /*unused*/) {
    if (!of(self)->ring) Py_RETURN_NONE;
    if (!usable(of(self))) return nullptr;
    auto* const ring = std::exchange(of(self)->ring, nullptr);
    without_gil([ring] {
        snakepit_shm_ring_close(ring);
        return 0;
    });
    Py_RETURN_NONE;
}

// push(data, milliseconds): True; None if there was no room in time
PyObject* ring_push(PyObject* self, PyObject* arguments) {
    Py_buffer data{};
    unsigned milliseconds = 0;
    if (!usable(of(self)) || !PyArg_ParseTuple(arguments, "y*I", &data, &milliseconds))
        return nullptr;
    const auto size = static_cast<std::uint64_t>(data.len);
    const auto* const bytes = data.buf;
    const auto status = use(of(self), milliseconds != 0 || size > kShort,
                            [bytes, size, milliseconds](snakepit_shm_ring* ring) {
                                return snakepit_shm_ring_push(ring, bytes, size, milliseconds);
                            });
    PyBuffer_Release(&data);
    if (status != SNAKEPIT_SHM_OK) return none_in_time(of(self), status);
    Py_RETURN_TRUE;
}

// acquire(milliseconds): the slot's offset in the region; None if there was no room in time
PyObject* ring_acquire(PyObject* self, PyObject* argument) {
    const auto milliseconds = static_cast<std::uint32_t>(PyLong_AsUnsignedLong(argument));
    if (PyErr_Occurred() || !usable(of(self))) return nullptr;
    void* slot = nullptr;
    const auto status =
        use(of(self), milliseconds != 0, [&slot, milliseconds](snakepit_shm_ring* ring) {
            return snakepit_shm_ring_acquire(ring, milliseconds, &slot);
        });
    if (status != SNAKEPIT_SHM_OK) return none_in_time(of(self), status);
    std::uint64_t offset = 0;
    if (!place_of(of(self), slot, 0, offset)) return nullptr;
    return PyLong_FromUnsignedLongLong(offset);
}

PyObject* ring_publish(PyObject* self, PyObject* argument) {
    const auto size = PyLong_AsUnsignedLongLong(argument);
    if (PyErr_Occurred() || !usable(of(self))) return nullptr;
    return none_or_raise(of(self)->state, snakepit_shm_ring_publish(of(self)->ring, size));
}

// The next frame in its slot.
snakepit_shm_status look(RingObject* self, unsigned milliseconds, snakepit_shm_frame& frame) {
    frame = {};
    frame.struct_size = sizeof frame;
    return use(self, milliseconds != 0, [&frame, milliseconds](snakepit_shm_ring* ring) {
        return snakepit_shm_ring_peek(ring, milliseconds, &frame);
    });
}

// peek(milliseconds): (offset, size, number, lost, producer); None if there was none in time
PyObject* ring_peek(PyObject* self, PyObject* argument) {
    const auto milliseconds = static_cast<std::uint32_t>(PyLong_AsUnsignedLong(argument));
    if (PyErr_Occurred() || !usable(of(self))) return nullptr;
    snakepit_shm_frame frame;
    const auto status = look(of(self), milliseconds, frame);
    if (status != SNAKEPIT_SHM_OK) return none_in_time(of(self), status);
    std::uint64_t offset = 0;
    if (!place_of(of(self), frame.data, frame.size, offset)) return nullptr;
    return Py_BuildValue("(KKKKI)", offset, frame.size, frame.number, frame.lost, frame.producer);
}

// pop(milliseconds): (bytes, number, lost, producer); None if there was none in time
PyObject* ring_pop(PyObject* self, PyObject* argument) {
    const auto milliseconds = static_cast<std::uint32_t>(PyLong_AsUnsignedLong(argument));
    if (PyErr_Occurred() || !usable(of(self))) return nullptr;
    for (;;) {
        snakepit_shm_frame frame;
        auto status = look(of(self), milliseconds, frame);
        if (status != SNAKEPIT_SHM_OK) return none_in_time(of(self), status);
        auto* const bytes = PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(frame.size));
        if (!bytes) return nullptr;
        auto* const to = PyBytes_AsString(bytes);
        // The frame that was copied, or none: it may be overwritten meanwhile, and skipped.
        status = use(of(self), frame.size > kShort, [to, &frame](snakepit_shm_ring* ring) {
            std::memcpy(to, frame.data, frame.size);
            return snakepit_shm_ring_valid(ring) ? snakepit_shm_ring_release(ring)
                                                 : SNAKEPIT_SHM_TIMEOUT;
        });
        if (status == SNAKEPIT_SHM_OK)
            return Py_BuildValue("(NKKI)", bytes, frame.number, frame.lost, frame.producer);
        Py_DECREF(bytes);
        if (status != SNAKEPIT_SHM_TIMEOUT) return raise(of(self)->state, status);
    }
}

PyObject* ring_valid(PyObject* self, PyObject* /*unused*/) {
    if (!usable(of(self))) return nullptr;
    return PyBool_FromLong(snakepit_shm_ring_valid(of(self)->ring));
}

PyObject* ring_release(PyObject* self, PyObject* /*unused*/) {
    if (!usable(of(self))) return nullptr;
    return none_or_raise(of(self)->state, snakepit_shm_ring_release(of(self)->ring));
}

PyObject* ring_check(PyObject* self, PyObject* /*unused*/) {
    if (!usable(of(self))) return nullptr;
    return none_or_raise(of(self)->state, use(of(self), true, snakepit_shm_ring_check));
}

PyObject* ring_wait_begin(PyObject* self, PyObject* /*unused*/) {
    if (!usable(of(self))) return nullptr;
    std::uint64_t ticket = 0;
    const auto status = use(of(self), true, [&ticket](snakepit_shm_ring* ring) {
        return snakepit_shm_ring_wait_begin(ring, &ticket);
    });
    if (status != SNAKEPIT_SHM_OK) return raise(of(self)->state, status);
    return PyLong_FromUnsignedLongLong(ticket);
}

// In the order of RingInfo's fields.
PyObject* ring_info(PyObject* self, PyObject* /*unused*/) {
    if (!usable(of(self))) return nullptr;
    snakepit_shm_ring_description info{};
    info.struct_size = sizeof info;
    const auto status = snakepit_shm_ring_info(of(self)->ring, &info);
    if (status != SNAKEPIT_SHM_OK) return raise(of(self)->state, status);
    return Py_BuildValue("(NKIIiiKKKIIO)", string(info.id), info.slot_size, info.slots,
                         info.max_consumers, info.policy, info.role, info.published, info.position,
                         info.behind, info.consumers, info.producers,
                         info.closed ? Py_True : Py_False);
}

PyObject* ring_closed(PyObject* self, void* /*closure*/) {
    return PyBool_FromLong(of(self)->ring == nullptr);
}

int ring_traverse(PyObject* self, visitproc visit, void* arg) {
    Py_VISIT(of(self)->region);
    Py_VISIT(of(self)->dict);
    Py_VISIT(Py_TYPE(self));
    return 0;
}

int ring_clear(PyObject* self) {
    Py_CLEAR(of(self)->region);
    Py_CLEAR(of(self)->dict);
    return 0;
}

void ring_dealloc(PyObject* self) {
    PyObject_GC_UnTrack(self);
    if (of(self)->weak) PyObject_ClearWeakRefs(self);
    snakepit_shm_ring_close(std::exchange(of(self)->ring, nullptr));
    (void)ring_clear(self);
    of(self)->session.~shared_ptr();
    auto* const type = Py_TYPE(self);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

PyMethodDef ring_methods[] = {
    {"_open", ring_open, METH_VARARGS, nullptr},
    {"_use_memory", ring_use_memory, METH_O, nullptr},
    {"_leave", ring_leave, METH_NOARGS, nullptr},
    {"_push", ring_push, METH_VARARGS, nullptr},
    {"_acquire", ring_acquire, METH_O, nullptr},
    {"_publish", ring_publish, METH_O, nullptr},
    {"_peek", ring_peek, METH_O, nullptr},
    {"_pop", ring_pop, METH_O, nullptr},
    {"_valid", ring_valid, METH_NOARGS, nullptr},
    {"_release", ring_release, METH_NOARGS, nullptr},
    {"_wait_begin", ring_wait_begin, METH_NOARGS, nullptr},
    {"_info", ring_info, METH_NOARGS, nullptr},
    {"check", ring_check, METH_NOARGS,
     "check($self, /)\n--\n\nAsks whether the other side lives, for programs that "
     "only poll: raises 'producer_gone' or 'ring_closed', once, if there "
     "is no frame left; drops dead consumers that the producer waits "
     "for."},
    {nullptr, nullptr, 0, nullptr}};

PyGetSetDef ring_getset[] = {
    {"closed", ring_closed, nullptr, "Whether this part has left the ring.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyMemberDef ring_members[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(RingObject, dict), READONLY, nullptr},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(RingObject, weak), READONLY, nullptr},
    {}};

PyType_Slot ring_slots[] = {
    {Py_tp_new, slot(ring_new)},           {Py_tp_dealloc, slot(ring_dealloc)},
    {Py_tp_traverse, slot(ring_traverse)}, {Py_tp_clear, slot(ring_clear)},
    {Py_tp_methods, ring_methods},         {Py_tp_getset, ring_getset},
    {Py_tp_members, ring_members},         {0, nullptr}};

}  // namespace

PyType_Spec ring_spec = {"snakepit_shm._native.Ring", sizeof(RingObject), 0,
                         Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, ring_slots};

}  // namespace snakepit::python
