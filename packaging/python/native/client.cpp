// SPDX-License-Identifier: MIT
// Client: everything that asks the manager. Options and results are tuples; the Python part names
// their fields.
#include <cstdint>
#include <new>
#include <string>
#include <vector>

#include "client_support.h"

#include <structmember.h>

namespace snakepit::python {

namespace {

using detail::ask;
using detail::of;
using detail::put;
using detail::result_of;
using detail::string;

// The module of a type that may be a Python subclass.
ModuleState* state_for(PyTypeObject* type) {
    for (; type; type = static_cast<PyTypeObject*>(PyType_GetSlot(type, Py_tp_base))) {
        if (auto* const module = PyType_GetModule(type))
            return static_cast<ModuleState*>(PyModule_GetState(module));
        PyErr_Clear();
    }
    return nullptr;
}

// ------------------------------------------------------------------ lifetime

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

// ------------------------------------------------------------------- regions

// Arguments of options(), in the order of snakepit_shm_options.
bool read_options(PyObject* tuple, snakepit_shm_options& out) {
    out = SNAKEPIT_SHM_OPTIONS_INIT;
    long long timeout = 0;
    int level = 0, access = 0, policy = 0, placement = 0, owner = 0, group = 0, other = 0;
    int by_user = 0, durable = 0, exact = 0, owner_end = 0, audit = 0;
    if (!PyArg_ParseTuple(tuple, "Liiiiiiizpppzip", &timeout, &level, &access, &policy, &placement,
                          &owner, &group, &other, &out.metadata, &by_user, &durable, &exact,
                          &out.name, &owner_end, &audit))
        return false;
    out.timeout_ms = timeout;
    out.security_level = static_cast<snakepit_shm_security>(level);
    out.access_mode = static_cast<snakepit_shm_access>(access);
    out.cleanup_policy = static_cast<snakepit_shm_cleanup_policy>(policy);
    out.placement = static_cast<snakepit_shm_placement>(placement);
    out.owner = static_cast<snakepit_shm_permission>(owner);
    out.group = static_cast<snakepit_shm_permission>(group);
    out.other = static_cast<snakepit_shm_permission>(other);
    out.owned_by_user = by_user != 0;
    out.durable = durable != 0;
    out.exact_permissions = exact != 0;
    out.owner_end = static_cast<snakepit_shm_owner_end>(owner_end);
    out.audit_access = audit != 0;
    return true;
}

// allocate(size, options, [id])
PyObject* client_allocate(PyObject* self, PyObject* arguments) {
    unsigned long long size = 0;
    PyObject *tuple = nullptr, *cell = nullptr;
    snakepit_shm_options options;
    if (!PyArg_ParseTuple(arguments, "KOO", &size, &tuple, &cell) || !read_options(tuple, options))
        return nullptr;
    char id[SNAKEPIT_SHM_ID_SIZE];
    const auto status = ask(of(self), [&](snakepit_shm_client* handle) {
        return snakepit_shm_allocate(handle, size, &options, id);
    });
    if (status != SNAKEPIT_SHM_OK) return result_of(of(self), status);
    return put(cell, string(id));
}

// open(name, size, options, writable) -> Region
PyObject* client_open(PyObject* self, PyObject* arguments) {
    PyObject *name = nullptr, *tuple = nullptr;
    unsigned long long size = 0;
    int writable = 0;
    snakepit_shm_options options;
    if (!PyArg_ParseTuple(arguments, "OKOp", &name, &size, &tuple, &writable) ||
        !read_options(tuple, options))
        return nullptr;
    auto* const client = of(self);
    const auto text = text_of(client->state, name, "the name");
    if (text.failed) return nullptr;
    auto session = client->session;
    if (!session) return raise_closed(client->state);
    snakepit_shm_mapping mapping{};
    bool created = false;
    char id[SNAKEPIT_SHM_ID_SIZE];
    const auto access = writable ? SNAKEPIT_SHM_READ_WRITE : SNAKEPIT_SHM_READ_ONLY;
    auto status = ask(client, [&](snakepit_shm_client* handle) {
        return snakepit_shm_open(handle, text.bytes, size, &options, access, &mapping, &created);
    });
    if (status != SNAKEPIT_SHM_OK) return raise(client->state, status);
    status = snakepit_shm_mapping_id(session->handle(), &mapping, id);
    auto* const made_id = status == SNAKEPIT_SHM_OK ? string(id) : raise(client->state, status);
    if (!made_id) {
        (void)snakepit_shm_unmap(session->handle(), &mapping);
        return nullptr;
    }
    auto* const made =
        make_region(client, std::move(session), mapping, made_id, writable != 0, created);
    Py_DECREF(made_id);
    return made;
}

// map(region_id, writable=False): without a request and without releasing the GIL where possible.
template <bool kAsks>
PyObject* client_map(PyObject* self, PyObject* const* arguments, Py_ssize_t count,
                     PyObject* words) {
    auto* const client = of(self);
    PyObject *region = count > 0 ? arguments[0] : nullptr,
             *wish = count > 1 ? arguments[1] : nullptr;
    const auto named = words ? PyTuple_Size(words) : 0;
    for (Py_ssize_t i = 0; i < named; ++i) {
        auto* const word = PyTuple_GetItem(words, i);
        if (PyUnicode_CompareWithASCIIString(word, "writable") == 0)
            wish = arguments[count + i];
        else if (PyUnicode_CompareWithASCIIString(word, "region_id") == 0)
            region = arguments[count + i];
        else
            return PyErr_Format(PyExc_TypeError, "map() has no argument '%U'", word);
    }
    if (!region || count > 2)
        return PyErr_Format(PyExc_TypeError, "map() takes a region's id or name, and writable");
    const auto text = id_of(client->state, region);
    if (text.failed) return nullptr;
    const int writable = wish ? PyObject_IsTrue(wish) : 0;
    if (writable < 0) return nullptr;
    auto session = client->session;
    if (!session) return raise_closed(client->state);
    auto* const handle = session->handle();
    const auto access = writable ? SNAKEPIT_SHM_READ_WRITE : SNAKEPIT_SHM_READ_ONLY;
    snakepit_shm_mapping mapping;
    auto status = snakepit_shm_map_cached(handle, text.bytes, access, &mapping);
    if (kAsks && status == SNAKEPIT_SHM_NOT_CACHED)
        status = without_gil([handle, &text, access, &mapping] {
            return snakepit_shm_map(handle, text.bytes, access, &mapping);
        });
    if (status != SNAKEPIT_SHM_OK) return raise(client->state, status);
    if (std::string_view(text.bytes).starts_with("shm_"))
        return make_region(client, std::move(session), mapping, region, writable != 0, false);
    char id[SNAKEPIT_SHM_ID_SIZE];
    status = snakepit_shm_mapping_id(handle, &mapping, id);
    auto* const made_id = status == SNAKEPIT_SHM_OK ? string(id) : raise(client->state, status);
    if (!made_id) {
        (void)snakepit_shm_unmap(handle, &mapping);
        return nullptr;
    }
    auto* const made =
        make_region(client, std::move(session), mapping, made_id, writable != 0, false);
    Py_DECREF(made_id);
    return made;
}

template <snakepit_shm_status (*Call)(snakepit_shm_client*, const char*)>
PyObject* on_id(PyObject* self, PyObject* region) {
    const auto text = id_of(of(self)->state, region);
    if (text.failed) return nullptr;
    return result_of(of(self), ask(of(self), [&](snakepit_shm_client* handle) {
                         return Call(handle, text.bytes);
                     }));
}

PyObject* client_resolve(PyObject* self, PyObject* name) {
    const auto text = id_of(of(self)->state, name);
    if (text.failed) return nullptr;
    if (std::string_view(text.bytes).starts_with("shm_")) return Py_NewRef(name);
    char id[SNAKEPIT_SHM_ID_SIZE];
    const auto status = ask(of(self), [&](snakepit_shm_client* handle) {
        return snakepit_shm_resolve(handle, text.bytes, id);
    });
    if (status != SNAKEPIT_SHM_OK) return result_of(of(self), status);
    return string(id);
}

// In the order of RegionInfo's fields.
PyObject* tuple_of(const snakepit_shm_region_info& info) {
    auto* const pids = PyList_New(0);
    if (!pids) return nullptr;
    for (const auto pid : info.holder_pids) {
        if (pid == 0) break;
        auto* const number = PyLong_FromLongLong(pid);
        if (!number || PyList_Append(pids, number) != 0) {
            Py_XDECREF(number);
            Py_DECREF(pids);
            return nullptr;
        }
        Py_DECREF(number);
    }
    const auto flag = [](bool value) { return value ? Py_True : Py_False; };
    return Py_BuildValue(
        "(NKKLLKKLIiiiLNNNNNNiiiiiOOOOOOLKN)", string(info.id), info.size, info.actual_size,
        info.created_at, info.last_accessed, info.access_count, info.reference_count,
        info.owner_pid, info.owner_uid, info.security_level, info.cleanup_policy, info.access_mode,
        info.timeout_ms, string(info.state), string(info.name), string(info.metadata),
        string(info.session), string(info.worker), string(info.owner_process), info.owner,
        info.group, info.other, info.placement, info.owner_end, flag(info.sealed),
        flag(info.durable), flag(info.audit_access), flag(info.inconsistent), flag(info.has_policy),
        flag(info.policy_in_effect), info.quarantined_until, info.holder_count, pids);
}

PyObject* client_info(PyObject* self, PyObject* region) {
    const auto text = id_of(of(self)->state, region);
    if (text.failed) return nullptr;
    snakepit_shm_region_info info{};
    info.struct_size = sizeof info;
    const auto status = ask(of(self), [&](snakepit_shm_client* handle) {
        return snakepit_shm_info(handle, text.bytes, &info);
    });
    return status == SNAKEPIT_SHM_OK ? tuple_of(info) : result_of(of(self), status);
}

PyObject* client_list(PyObject* self, PyObject* filter) {
    const auto text =
        text_of(of(self)->state, filter, "the filter", SNAKEPIT_SHM_INVALID_ARGUMENT, true);
    if (text.failed) return nullptr;
    const auto session = of(self)->session;
    if (!session) return raise_closed(of(self)->state);
    struct Found {
        PyObject* list;
        PyThreadState* thread;
    } found{PyList_New(0), nullptr};
    if (!found.list) return nullptr;
    const auto one = [](const snakepit_shm_region_info* info, void* context) {
        auto& into = *static_cast<Found*>(context);
        PyEval_RestoreThread(into.thread);
        auto* const tuple = tuple_of(*info);
        const bool added = tuple && PyList_Append(into.list, tuple) == 0;
        Py_XDECREF(tuple);
        into.thread = PyEval_SaveThread();
        return added;
    };
    found.thread = PyEval_SaveThread();
    const auto status = snakepit_shm_list(session->handle(), text.bytes, one, &found);
    PyEval_RestoreThread(found.thread);
    if (status == SNAKEPIT_SHM_OK && !PyErr_Occurred()) return found.list;
    Py_DECREF(found.list);
    return PyErr_Occurred() ? nullptr : raise(of(self)->state, status);
}

// read(region_id, offset, size) -> bytes
PyObject* client_read(PyObject* self, PyObject* arguments) {
    PyObject* region = nullptr;
    unsigned long long offset = 0;
    Py_ssize_t size = 0;
    if (!PyArg_ParseTuple(arguments, "OKn", &region, &offset, &size)) return nullptr;
    const auto text = id_of(of(self)->state, region);
    if (text.failed) return nullptr;
    auto* const bytes = PyBytes_FromStringAndSize(nullptr, size);
    if (!bytes) return nullptr;
    auto* const data = PyBytes_AsString(bytes);
    const auto status = ask(of(self), [&](snakepit_shm_client* handle) {
        return snakepit_shm_read(handle, text.bytes, offset, data,
                                 static_cast<std::uint64_t>(size));
    });
    if (status == SNAKEPIT_SHM_OK) return bytes;
    Py_DECREF(bytes);
    return result_of(of(self), status);
}

// write(region_id, offset, data)
PyObject* client_write(PyObject* self, PyObject* arguments) {
    PyObject* region = nullptr;
    unsigned long long offset = 0;
    Py_buffer data;
    if (!PyArg_ParseTuple(arguments, "OKy*", &region, &offset, &data)) return nullptr;
    const auto text = id_of(of(self)->state, region);
    PyObject* result = nullptr;
    if (!text.failed)
        result = result_of(of(self), ask(of(self), [&](snakepit_shm_client* handle) {
                               return snakepit_shm_write(handle, text.bytes, offset, data.buf,
                                                         static_cast<std::uint64_t>(data.len));
                           }));
    PyBuffer_Release(&data);
    return result;
}

// cleanup(dry_run, orphans, expired, all_eligible, no_quarantine, session, worker)
PyObject* client_cleanup(PyObject* self, PyObject* arguments) {
    int flags[5] = {};
    snakepit_shm_cleanup_options options{};
    options.struct_size = sizeof options;
    if (!PyArg_ParseTuple(arguments, "pppppzz", &flags[0], &flags[1], &flags[2], &flags[3],
                          &flags[4], &options.session, &options.worker))
        return nullptr;
    options.dry_run = flags[0] != 0;
    options.orphans = flags[1] != 0;
    options.expired = flags[2] != 0;
    options.all_eligible = flags[3] != 0;
    options.no_quarantine = flags[4] != 0;
    snakepit_shm_cleanup_result result{};
    const auto status = ask(of(self), [&](snakepit_shm_client* handle) {
        return snakepit_shm_cleanup(handle, &options, &result);
    });
    if (status != SNAKEPIT_SHM_OK) return result_of(of(self), status);
    return Py_BuildValue("(KK)", result.removed, result.bytes_freed);
}

// announce(worker, pool, session)
PyObject* client_announce(PyObject* self, PyObject* arguments) {
    const char* names[3] = {};
    if (!PyArg_ParseTuple(arguments, "zzz", &names[0], &names[1], &names[2])) return nullptr;
    return result_of(of(self), ask(of(self), [&](snakepit_shm_client* handle) {
                         return snakepit_shm_announce(handle, names[0], names[1], names[2]);
                     }));
}

PyObject* client_round_trips(PyObject* self, void* /*closure*/) {
    const auto session = of(self)->session;
    return PyLong_FromUnsignedLongLong(session ? snakepit_shm_round_trips(session->handle()) : 0);
}

// -------------------------------------------------------------------- tables

template <typename T>
PyCFunction method(T* function) {
    return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

PyMethodDef client_methods[] = {
    {"map_cached", method(client_map<false>), METH_FASTCALL | METH_KEYWORDS,
     "map_cached(region_id, writable=False)\n--\n\n"
     "Maps as map() if that needs no request to the manager, else raises 'not_cached'. Never "
     "blocks."},
    {"map", method(client_map<true>), METH_FASTCALL | METH_KEYWORDS,
     "map(region_id, writable=False)\n--\n\n"
     "Maps an existing region, by its id or its name (\"NAME\", or \"USER/NAME\" for another "
     "user's), and acquires a reference; read-only unless `writable`."},
    {"resolve", client_resolve, METH_O,
     "resolve(name)\n--\n\nThe id of the region that has this name now. An id is returned as it "
     "is."},
    {"deallocate", on_id<snakepit_shm_deallocate>, METH_O,
     "deallocate(region_id)\n--\n\n"
     "Withdraws the region; its memory is freed with the last reference."},
    {"seal", on_id<snakepit_shm_seal>, METH_O,
     "seal(region_id)\n--\n\nMakes the region immutable: at once, or as soon as its last reference "
     "is released. From now on it can be mapped read-only alone."},
    {"rotate_key", on_id<snakepit_shm_rotate_key>, METH_O,
     "rotate_key(region_id)\n--\n\nEncrypts the region again with a new key, while programs use "
     "it."},
    {"notify", on_id<snakepit_shm_notify>, METH_O,
     "notify(region_id)\n--\n\nAdds 1 to the region's counter and wakes all who wait for it."},
    {"_connect", client_connect, METH_VARARGS, nullptr},
    {"_close", client_close, METH_O, nullptr},
    {"_allocate", client_allocate, METH_VARARGS, nullptr},
    {"_open", client_open, METH_VARARGS, nullptr},
    {"_info", client_info, METH_O, nullptr},
    {"_list", client_list, METH_O, nullptr},
    {"_read", client_read, METH_VARARGS, nullptr},
    {"_write", client_write, METH_VARARGS, nullptr},
    {"_cleanup", client_cleanup, METH_VARARGS, nullptr},
    {"_announce", client_announce, METH_VARARGS, nullptr},
    {"fileno", detail::client_fileno, METH_NOARGS,
     "fileno()\n--\n\nA descriptor for event loops: readable while there may be an event, see "
     "next_event()."},
    {"_lock", detail::client_lock, METH_VARARGS, nullptr},
    {"_lock_begin", detail::client_lock_begin, METH_VARARGS, nullptr},
    {"_lock_wait", detail::client_lock_wait, METH_VARARGS, nullptr},
    {"_cancel", detail::client_cancel, METH_O, nullptr},
    {"_unlock", detail::client_unlock, METH_VARARGS, nullptr},
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

template <typename T>
void* slot(T* function) {
    return reinterpret_cast<void*>(function);
}

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
