// SPDX-License-Identifier: MIT
// Client: what allocates, maps and describes regions. Options and results are tuples; the Python
// part names their fields.
#include <cstdint>
#include <string_view>

#include "client_support.h"

namespace snakepit::python::detail {

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

namespace {

// map(region_id, writable=False): without a request and without releasing the GIL where possible.
template <bool kAsks>
PyObject* map_region(PyObject* self, PyObject* const* arguments, Py_ssize_t count,
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

}  // namespace

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

PyObject* client_map(PyObject* self, PyObject* const* arguments, Py_ssize_t count,
                     PyObject* words) {
    return map_region<true>(self, arguments, count, words);
}

PyObject* client_map_cached(PyObject* self, PyObject* const* arguments, Py_ssize_t count,
                            PyObject* words) {
    return map_region<false>(self, arguments, count, words);
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

}  // namespace snakepit::python::detail
