// SPDX-License-Identifier: MIT
// Client: its lifetime, and the table of its methods.
#include <new>
#include <string>
#include <vector>

#include "client_support.h"

#include <structmember.h>

namespace snakepit::python {

namespace {

using detail::of;
using detail::on_id;

// The module of a type that may be a Python subclass.
ModuleState* state_for(PyTypeObject* type) {
    for (; type; type = static_cast<PyTypeObject*>(PyType_GetSlot(type, Py_tp_base))) {
        if (auto* const module = PyType_GetModule(type))
            return static_cast<ModuleState*>(PyModule_GetState(module));
        PyErr_Clear();
    }
    return nullptr;
}

PyObject* client_new(PyTypeObject* type, PyObject* /*arguments*/, PyObject* /*words*/) {
    const auto allocate = reinterpret_cast<allocfunc>(PyType_GetSlot(type, Py_tp_alloc));
    auto* const self = allocate(type, 0);
    if (!self) return nullptr;
    new (&of(self)->session) std::shared_ptr<Session>;
    of(self)->state = state_for(type);
    return self;
}

// connect(instance or None, milliseconds)
PyObject* client_connect(PyObject* self, PyObject* arguments) {
    PyObject* instance = nullptr;
    unsigned milliseconds = 0;
    if (!PyArg_ParseTuple(arguments, "OI", &instance, &milliseconds)) return nullptr;
    auto* const client = of(self);
    const auto name =
        text_of(client->state, instance, "the instance", SNAKEPIT_SHM_INVALID_ARGUMENT, true);
    if (name.failed) return nullptr;
    snakepit_shm_client* handle = nullptr;
    const auto status = without_gil([&name, &handle, milliseconds] {
        return snakepit_shm_connect_within(name.bytes, milliseconds, &handle);
    });
    if (status != SNAKEPIT_SHM_OK) return raise(client->state, status);
    client->session = std::make_shared<Session>(handle);
    Py_RETURN_NONE;
}

// Regions whose memory nothing uses are closed. The first error of an encrypted one is returned.
snakepit_shm_status close_unused(const Session& session) {
    std::vector<PyObject*> unused;
    session.each([&](const Lease& lease) {
        if (lease.region && !in_use(reinterpret_cast<RegionObject*>(lease.region)))
            unused.push_back(Py_NewRef(lease.region));
        return true;
    });
    auto first = SNAKEPIT_SHM_OK;
    for (auto* const object : unused) {
        const auto status = detach(reinterpret_cast<RegionObject*>(object));
        if (first == SNAKEPIT_SHM_OK && status != SNAKEPIT_SHM_FORKED &&
            status != SNAKEPIT_SHM_CLIENT_CLOSED)
            first = status;
        Py_DECREF(object);
    }
    return first;
}

// close(only_if_unused): ends the calls of other threads and closes the regions. What is still in
// use keeps the session.
PyObject* client_close(PyObject* self, PyObject* refuse) {
    auto* const client = of(self);
    auto session = client->session;
    if (!session) Py_RETURN_NONE;
    if (PyObject_IsTrue(refuse) == 1) {
        PyObject* used = nullptr;
        session->each([&](const Lease& lease) {
            if (!lease.region)
                used = Py_None;
            else if (in_use(reinterpret_cast<RegionObject*>(lease.region)))
                used = reinterpret_cast<RegionObject*>(lease.region)->id;
            return used == nullptr;
        });
        if (used) return raise_in_use(client->state, used);
    }
    session->begin_to_close();
    const auto status = close_unused(*session);
    const std::string sentence = status == SNAKEPIT_SHM_OK ? "" : snakepit_shm_last_error();
    auto* const handle = session->handle();
    (void)without_gil([handle] {
        snakepit_shm_close(handle);
        return 0;
    });
    client->session.reset();
    session.reset();
    if (status == SNAKEPIT_SHM_OK) Py_RETURN_NONE;
    return raise(client->state, status, sentence.c_str());
}

PyObject* client_closed(PyObject* self, void* /*closure*/) {
    return PyBool_FromLong(of(self)->session == nullptr);
}

int client_traverse(PyObject* self, visitproc visit, void* arg) {
    Py_VISIT(of(self)->dict);
    Py_VISIT(Py_TYPE(self));
    return 0;
}

int client_clear(PyObject* self) {
    Py_CLEAR(of(self)->dict);
    return 0;
}

void client_dealloc(PyObject* self) {
    PyObject_GC_UnTrack(self);
    if (of(self)->weak) PyObject_ClearWeakRefs(self);
    (void)client_clear(self);
    of(self)->session.~shared_ptr();
    auto* const type = Py_TYPE(self);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

PyObject* client_round_trips(PyObject* self, void* /*closure*/) {
    const auto session = of(self)->session;
    return PyLong_FromUnsignedLongLong(session ? snakepit_shm_round_trips(session->handle()) : 0);
}

// -------------------------------------------------------------------- tables

PyMethodDef client_methods[] = {
    {"map_cached", method(detail::client_map_cached), METH_FASTCALL | METH_KEYWORDS,
     "map_cached($self, region_id, writable=False)\n--\n\n"
     "Maps as map() if that needs no request to the manager, else raises 'not_cached'. Never "
     "blocks."},
    {"map", method(detail::client_map), METH_FASTCALL | METH_KEYWORDS,
     "map($self, region_id, writable=False)\n--\n\n"
     "Maps an existing region, by its id or its name (\"NAME\", or \"USER/NAME\" for another "
     "user's), and acquires a reference; read-only unless `writable`."},
    {"resolve", detail::client_resolve, METH_O,
     "resolve($self, name, /)\n--\n\nThe id of the region that has this name now. An id is "
     "returned as it "
     "is."},
    {"deallocate", on_id<snakepit_shm_deallocate>, METH_O,
     "deallocate($self, region_id, /)\n--\n\n"
     "Withdraws the region; its memory is freed with the last reference."},
    {"seal", on_id<snakepit_shm_seal>, METH_O,
     "seal($self, region_id, /)\n--\n\nMakes the region immutable: at once, or as soon as its last "
     "reference "
     "is released. From now on it can be mapped read-only alone."},
    {"rotate_key", on_id<snakepit_shm_rotate_key>, METH_O,
     "rotate_key($self, region_id, /)\n--\n\nEncrypts the region again with a new key, while "
     "programs use "
     "it."},
    {"notify", on_id<snakepit_shm_notify>, METH_O,
     "notify($self, region_id, /)\n--\n\nAdds 1 to the region's counter and wakes all who wait for "
     "it."},
    {"_connect", client_connect, METH_VARARGS, nullptr},
    {"_close", client_close, METH_O, nullptr},
    {"_allocate", detail::client_allocate, METH_VARARGS, nullptr},
    {"_open", detail::client_open, METH_VARARGS, nullptr},
    {"_info", detail::client_info, METH_O, nullptr},
    {"_list", detail::client_list, METH_O, nullptr},
    {"_read", detail::client_read, METH_VARARGS, nullptr},
    {"_write", detail::client_write, METH_VARARGS, nullptr},
    {"_cleanup", detail::client_cleanup, METH_VARARGS, nullptr},
    {"_announce", detail::client_announce, METH_VARARGS, nullptr},
    {"fileno", detail::client_fileno, METH_NOARGS,
     "fileno($self, /)\n--\n\nA descriptor for event loops: readable while there may be an event, "
     "see "
     "next_event()."},
    {"_lock", detail::client_lock, METH_VARARGS, nullptr},
    {"_lock_begin", detail::client_lock_begin, METH_VARARGS, nullptr},
    {"_lock_wait", detail::client_lock_wait, METH_VARARGS, nullptr},
    {"_cancel", detail::client_cancel, METH_O, nullptr},
    {"_unlock", detail::client_unlock, METH_VARARGS, nullptr},
    {"_abandon", detail::client_abandon, METH_VARARGS, nullptr},
    {"_wait", detail::client_wait, METH_VARARGS, nullptr},
    {"_wait_begin", detail::client_wait_begin, METH_VARARGS, nullptr},
    {"_next_event", detail::client_next_event, METH_O, nullptr},
    {nullptr, nullptr, 0, nullptr}};

PyGetSetDef client_getset[] = {
    {"round_trips", client_round_trips, nullptr,
     "Requests sent to the manager so far; shows which calls needed none.", nullptr},
    {"closed", client_closed, nullptr, "Whether the client was closed.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyMemberDef client_members[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(ClientObject, dict), READONLY, nullptr},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(ClientObject, weak), READONLY, nullptr},
    {}};

PyType_Slot client_slots[] = {
    {Py_tp_new, slot(client_new)},           {Py_tp_dealloc, slot(client_dealloc)},
    {Py_tp_traverse, slot(client_traverse)}, {Py_tp_clear, slot(client_clear)},
    {Py_tp_methods, client_methods},         {Py_tp_getset, client_getset},
    {Py_tp_members, client_members},         {0, nullptr}};

}  // namespace

PyType_Spec client_spec = {"snakepit_shm._native.Client", sizeof(ClientObject), 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
                           client_slots};

}  // namespace snakepit::python
