// SPDX-License-Identifier: MIT
// Region, and the View behind its buffers.
#include "objects.h"

#include <structmember.h>

namespace snakepit::python {

namespace {

RegionObject* of(PyObject* self) {
    return reinterpret_cast<RegionObject*>(self);
}
ViewObject* view_of(PyObject* self) {
    return reinterpret_cast<ViewObject*>(self);
}

// Only an encrypted region's last holder may block, when it writes the changes.
snakepit_shm_status drop(Lease* lease) {
    if (!lease->leave()) return SNAKEPIT_SHM_OK;
    if (!snakepit_shm_unmap_blocks(&lease->mapping)) return lease->end();
    return without_gil([lease] { return lease->end(); });
}

// ---------------------------------------------------------------------- view

int view_getbuffer(PyObject* self, Py_buffer* buffer, int flags) {
    auto* const lease = view_of(self)->lease;
    return PyBuffer_FillInfo(buffer, self, lease->mapping.data,
                             static_cast<Py_ssize_t>(lease->mapping.size), !lease->writable, flags);
}

// numpy keeps a buffer only if its type has this function.
void releasebuffer(PyObject* /*self*/, Py_buffer* /*buffer*/) {}

void view_dealloc(PyObject* self) {
    auto* const type = Py_TYPE(self);
    (void)drop(view_of(self)->lease);
    PyObject_Free(self);
    Py_DECREF(type);
}

// -------------------------------------------------------------------- region

// The region's view, made by the first call; null with an exception if it may have no buffer.
PyObject* open_view(RegionObject* region) {
    auto* const lease = lease_of(region);
    if (!lease) return nullptr;
    if (!region->view) {
        auto* const view = PyObject_New(ViewObject, region->state->view);
        if (!view) return nullptr;
        view->lease = lease;
        lease->hold();
        region->view = view;
    }
    return reinterpret_cast<PyObject*>(region->view);
}

int region_getbuffer(PyObject* self, Py_buffer* buffer, int flags) {
    auto* const view = open_view(of(self));
    if (view) return PyObject_GetBuffer(view, buffer, flags);
    buffer->obj = nullptr;
    return -1;
}

PyObject* region_view(PyObject* self, void* /*closure*/) {
    auto* const view = open_view(of(self));
    return view ? PyMemoryView_FromObject(view) : nullptr;
}

PyObject* region_closed(PyObject* self, void* /*closure*/) {
    return PyBool_FromLong(of(self)->lease == nullptr);
}

PyObject* region_array_interface(PyObject* self, void* /*closure*/) {
    auto* const view = region_view(self, nullptr);
    if (!view) return nullptr;
    auto* const made = Py_BuildValue("{s:i,s:(K),s:s,s:N}", "version", 3, "shape", of(self)->size,
                                     "typestr", "|u1", "data", view);
    return made;
}

PyObject* region_close(PyObject* self, PyObject* /*unused*/) {
    auto* const region = of(self);
    if (!region->lease) Py_RETURN_NONE;
    if (in_use(region)) return raise_in_use(of(self)->state, region->id);
    const auto status = detach(region);
    // A closed client has no reference any more; a child's end with it.
    if (status == SNAKEPIT_SHM_OK || status == SNAKEPIT_SHM_FORKED ||
        status == SNAKEPIT_SHM_CLIENT_CLOSED)
        Py_RETURN_NONE;
    return raise(of(self)->state, status);
}

PyObject* region_detach(PyObject* self, PyObject* /*unused*/) {
    auto* const region = of(self);
    if (!region->lease) Py_RETURN_NONE;
    const bool used = in_use(region);
    const auto status = detach(region);
    if (used || status == SNAKEPIT_SHM_OK || status == SNAKEPIT_SHM_FORKED ||
        status == SNAKEPIT_SHM_CLIENT_CLOSED)
        Py_RETURN_NONE;
    return raise(of(self)->state, status);
}

template <snakepit_shm_status (*Call)(snakepit_shm_client*, const snakepit_shm_mapping*)>
PyObject* on_mapping(PyObject* self, PyObject* /*unused*/) {
    auto* const state = of(self)->state;
    auto* const lease = of(self)->lease;
    if (!lease) return raise(state, SNAKEPIT_SHM_NOT_HELD, "the region was closed: map it again");
    lease->hold();
    const auto status =
        without_gil([lease] { return Call(lease->session->handle(), &lease->mapping); });
    auto* const result = none_or_raise(state, status);
    (void)drop(lease);
    return result;
}

int region_traverse(PyObject* self, visitproc visit, void* arg) {
    Py_VISIT(of(self)->client);
    Py_VISIT(of(self)->dict);
    Py_VISIT(Py_TYPE(self));
    return 0;
}

int region_clear(PyObject* self) {
    Py_CLEAR(of(self)->client);
    Py_CLEAR(of(self)->dict);
    return 0;
}

void region_dealloc(PyObject* self) {
    PyObject_GC_UnTrack(self);
    auto* const region = of(self);
    if (region->weak) PyObject_ClearWeakRefs(self);
    (void)detach(region);
    Py_CLEAR(region->id);
    (void)region_clear(self);
    auto* const type = Py_TYPE(self);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

Py_ssize_t region_length(PyObject* self) {
    return static_cast<Py_ssize_t>(of(self)->size);
}

PyMethodDef region_methods[] = {
    {"close", region_close, METH_NOARGS,
     "close($self, /)\n--\n\n"
     "Releases the reference. Raises BufferInUse while a view, an array or a tensor uses the "
     "memory. "
     "May be called more than once."},
    {"_detach", region_detach, METH_NOARGS, nullptr},
    {"flush", on_mapping<snakepit_shm_flush>, METH_NOARGS,
     "flush($self, /)\n--\n\n"
     "Writes the changes of an encrypted region, whose view is a private copy. close() does it "
     "too."},
    {"refresh", on_mapping<snakepit_shm_refresh>, METH_NOARGS,
     "refresh($self, /)\n--\n\n"
     "Updates the view of an encrypted region with what others have written; changes made here "
     "stay."},
    {"__dlpack__", method(region_dlpack), METH_VARARGS | METH_KEYWORDS,
     "__dlpack__($self, *, stream=None, max_version=None, dl_device=None, copy=None)\n--\n\n"
     "The bytes of the region for numpy.from_dlpack() and others, without a copy unless `copy` is "
     "true. BufferError: the region is mapped read-only and the consumer does not say that it "
     "understands that, by max_version=(1, 0) or later. The memory stays mapped until the consumer "
     "drops it."},
    {"__dlpack_device__", region_dlpack_device, METH_NOARGS,
     "__dlpack_device__($self, /)\n--\n\nThe CPU: (1, 0)."},
    {"__arrow_c_array__", method(region_arrow_array), METH_VARARGS | METH_KEYWORDS,
     "__arrow_c_array__($self, requested_schema=None)\n--\n\n"
     "The bytes of the region as an Arrow array of type uint8, without a copy: two capsules, "
     "'arrow_schema' and 'arrow_array'. Consumers take them for immutable: seal the region, or let "
     "no process write meanwhile. The memory stays mapped until the consumer releases the array."},
    {nullptr, nullptr, 0, nullptr}};

PyGetSetDef region_getset[] = {
    {"view", region_view, nullptr,
     "A memoryview of the memory itself, a new one each time; read-only if the region was mapped "
     "read-only. The memory stays mapped while it exists.",
     nullptr},
    {"closed", region_closed, nullptr, "Whether the reference was released.", nullptr},
    {"__array_interface__", region_array_interface, nullptr,
     "For numpy.asarray(region): the bytes themselves, not a copy.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyMemberDef region_members[] = {
    {"id", T_OBJECT_EX, offsetof(RegionObject, id), READONLY, "The region's id."},
    {"size", T_ULONGLONG, offsetof(RegionObject, size), READONLY,
     "Bytes, as requested at allocation."},
    {"writable", T_BOOL, offsetof(RegionObject, writable), READONLY, "Whether it is mapped so."},
    {"created", T_BOOL, offsetof(RegionObject, created), READONLY,
     "Whether Client.open() allocated the region."},
    {"_client", T_OBJECT_EX, offsetof(RegionObject, client), READONLY, nullptr},
    {"__dictoffset__", T_PYSSIZET, offsetof(RegionObject, dict), READONLY, nullptr},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(RegionObject, weak), READONLY, nullptr},
    {}};

PyType_Slot region_slots[] = {{Py_tp_dealloc, slot(region_dealloc)},
                              {Py_tp_traverse, slot(region_traverse)},
                              {Py_tp_clear, slot(region_clear)},
                              {Py_tp_methods, region_methods},
                              {Py_tp_getset, region_getset},
                              {Py_tp_members, region_members},
                              {Py_mp_length, slot(region_length)},
                              {Py_bf_getbuffer, slot(region_getbuffer)},
                              {Py_bf_releasebuffer, slot(releasebuffer)},
                              {0, nullptr}};

PyType_Slot view_slots[] = {{Py_tp_dealloc, slot(view_dealloc)},
                            {Py_bf_getbuffer, slot(view_getbuffer)},
                            {Py_bf_releasebuffer, slot(releasebuffer)},
                            {0, nullptr}};

}  // namespace

PyType_Spec region_spec = {"snakepit_shm._native.Region", sizeof(RegionObject), 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC |
                               Py_TPFLAGS_DISALLOW_INSTANTIATION,
                           region_slots};
PyType_Spec view_spec = {"snakepit_shm._native.View", sizeof(ViewObject), 0,
                         Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, view_slots};

Lease* lease_of(const RegionObject* region) {
    const auto* const client = reinterpret_cast<ClientObject*>(region->client);
    if (!client->session || client->session->closing())
        raise_closed(region->state);
    else if (!region->lease)
        raise(region->state, SNAKEPIT_SHM_NOT_HELD, "the region was closed: map it again");
    else
        return region->lease;
    return nullptr;
}

bool in_use(const RegionObject* region) {
    if (region->view && Py_REFCNT(reinterpret_cast<PyObject*>(region->view)) > 1) return true;
    return region->lease->holders.load(std::memory_order_acquire) > (region->view ? 2 : 1);
}

snakepit_shm_status detach(RegionObject* region) {
    auto* const lease = std::exchange(region->lease, nullptr);
    if (!lease) return SNAKEPIT_SHM_OK;
    lease->region = nullptr;
    // Its own end drops a holder, which is not the last one.
    Py_XDECREF(reinterpret_cast<PyObject*>(std::exchange(region->view, nullptr)));
    return drop(lease);
}

PyObject* make_region(ClientObject* client, std::shared_ptr<Session> session,
                      const snakepit_shm_mapping& mapping, PyObject* id, bool writable,
                      bool created) {
    auto* const state = client->state;
    auto* const region =
        reinterpret_cast<RegionObject*>(state->allocate_region(state->region_class, 0));
    if (!region || session->closing()) {
        auto unwanted = mapping;
        (void)snakepit_shm_unmap(session->handle(), &unwanted);
        Py_XDECREF(reinterpret_cast<PyObject*>(region));
        return region ? raise_closed(state) : nullptr;
    }
    region->state = state;
    region->lease = new Lease(std::move(session), mapping, writable);
    region->lease->region = reinterpret_cast<PyObject*>(region);
    region->client = Py_NewRef(reinterpret_cast<PyObject*>(client));
    region->id = Py_NewRef(id);
    region->size = mapping.size;
    region->writable = writable;
    region->created = created;
    return reinterpret_cast<PyObject*>(region);
}

}  // namespace snakepit::python
