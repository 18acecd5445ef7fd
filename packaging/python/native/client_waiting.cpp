// SPDX-License-Identifier: MIT
// Client: locks, signals and events.
#include "client_support.h"

#include <cstdint>

namespace snakepit::python::detail {

// --------------------------------------------------------------------- locks

static snakepit_shm_access mode_of(int write) {
    return write ? SNAKEPIT_SHM_READ_WRITE : SNAKEPIT_SHM_READ_ONLY;
}

// lock(region_id, write, milliseconds, owner, [token])
PyObject* client_lock(PyObject* self, PyObject* arguments) {
    PyObject *region = nullptr, *cell = nullptr;
    int write = 0;
    unsigned milliseconds = 0, owner = 0;
    if (!PyArg_ParseTuple(arguments, "OpIIO", &region, &write, &milliseconds, &owner, &cell))
        return nullptr;
    const auto text = id_of(of(self)->state, region);
    if (text.failed) return nullptr;
    std::uint64_t token = 0;
    const auto status = ask(of(self), [&](snakepit_shm_client* handle) {
        return snakepit_shm_lock_as(handle, text.bytes, mode_of(write), milliseconds, owner,
                                    &token);
    });
    if (status != SNAKEPIT_SHM_OK) return result_of(of(self), status);
    return put(cell, token);
}

// lock_begin(region_id, write, owner, [ticket])
PyObject* client_lock_begin(PyObject* self, PyObject* arguments) {
    PyObject *region = nullptr, *cell = nullptr;
    int write = 0;
    unsigned owner = 0;
    if (!PyArg_ParseTuple(arguments, "OpIO", &region, &write, &owner, &cell)) return nullptr;
    const auto text = id_of(of(self)->state, region);
    if (text.failed) return nullptr;
    std::uint64_t ticket = 0;
    const auto status = ask(of(self), [&](snakepit_shm_client* handle) {
        return snakepit_shm_lock_begin(handle, text.bytes, mode_of(write), owner, &ticket);
    });
    if (status != SNAKEPIT_SHM_OK) return result_of(of(self), status);
    return put(cell, ticket);
}

// lock_wait(ticket, milliseconds, [token]): the token stays as it is if it was not granted yet
PyObject* client_lock_wait(PyObject* self, PyObject* arguments) {
    PyObject* cell = nullptr;
    unsigned long long ticket = 0;
    unsigned milliseconds = 0;
    if (!PyArg_ParseTuple(arguments, "KIO", &ticket, &milliseconds, &cell)) return nullptr;
    std::uint64_t token = 0;
    const auto status = ask(of(self), [&](snakepit_shm_client* handle) {
        return snakepit_shm_lock_wait(handle, ticket, milliseconds, &token);
    });
    if (status == SNAKEPIT_SHM_TIMEOUT) Py_RETURN_NONE;
    if (status != SNAKEPIT_SHM_OK) return result_of(of(self), status);
    return put(cell, token);
}

PyObject* client_cancel(PyObject* self, PyObject* ticket) {
    const auto number = PyLong_AsUnsignedLongLong(ticket);
    if (PyErr_Occurred()) return nullptr;
    return result_of(of(self), ask(of(self), [&](snakepit_shm_client* handle) {
                         return snakepit_shm_cancel(handle, number);
                     }));
}

// (region_id, token). A forked child has no locks, and a closed client has none any more.
using Release = snakepit_shm_status (*)(snakepit_shm_client*, const char*, std::uint64_t);

static PyObject* release_lock(PyObject* self, PyObject* arguments, Release release) {
    PyObject* region = nullptr;
    unsigned long long token = 0;
    if (!PyArg_ParseTuple(arguments, "OK", &region, &token)) return nullptr;
    const auto text = id_of(of(self)->state, region);
    if (text.failed) return nullptr;
    const auto status = ask(
        of(self), [&](snakepit_shm_client* handle) { return release(handle, text.bytes, token); });
    if (status == SNAKEPIT_SHM_FORKED || status == SNAKEPIT_SHM_CLIENT_CLOSED) Py_RETURN_NONE;
    return result_of(of(self), status);
}

PyObject* client_unlock(PyObject* self, PyObject* arguments) {
    return release_lock(self, arguments, snakepit_shm_unlock);
}

PyObject* client_abandon(PyObject* self, PyObject* arguments) {
    return release_lock(self, arguments, snakepit_shm_lock_abandon);
}

// --------------------------------------------------------------- data ready

// wait(region_id, since, milliseconds) -> (reached, counter)
PyObject* client_wait(PyObject* self, PyObject* arguments) {
    PyObject* region = nullptr;
    unsigned long long since = 0;
    unsigned milliseconds = 0;
    if (!PyArg_ParseTuple(arguments, "OKI", &region, &since, &milliseconds)) return nullptr;
    const auto text = id_of(of(self)->state, region);
    if (text.failed) return nullptr;
    std::uint64_t counter = since;
    const auto status = ask(of(self), [&](snakepit_shm_client* handle) {
        return snakepit_shm_wait(handle, text.bytes, since, milliseconds, &counter);
    });
    if (status != SNAKEPIT_SHM_OK && status != SNAKEPIT_SHM_TIMEOUT)
        return result_of(of(self), status);
    return Py_BuildValue("(OK)", status == SNAKEPIT_SHM_OK ? Py_True : Py_False, counter);
}

// wait_begin(region_id, since) -> ticket
PyObject* client_wait_begin(PyObject* self, PyObject* arguments) {
    PyObject* region = nullptr;
    unsigned long long since = 0;
    if (!PyArg_ParseTuple(arguments, "OK", &region, &since)) return nullptr;
    const auto text = id_of(of(self)->state, region);
    if (text.failed) return nullptr;
    std::uint64_t ticket = 0;
    const auto status = ask(of(self), [&](snakepit_shm_client* handle) {
        return snakepit_shm_wait_begin(handle, text.bytes, since, &ticket);
    });
    if (status != SNAKEPIT_SHM_OK) return result_of(of(self), status);
    return PyLong_FromUnsignedLongLong(ticket);
}

PyObject* client_fileno(PyObject* self, PyObject* /*unused*/) {
    const auto session = of(self)->session;
    if (!session) return raise_closed(of(self)->state);
    auto* const handle = session->handle();
    const auto descriptor = without_gil([handle] { return snakepit_shm_event_fd(handle); });
    if (descriptor >= 0) return PyLong_FromLong(descriptor);
    return raise(of(self)->state, SNAKEPIT_SHM_PLATFORM_ERROR);
}

// next_event([event]): (kind, status, ticket, token, counter, region_id, sentence); stays as it is
// if there is none
PyObject* client_next_event(PyObject* self, PyObject* cell) {
    snakepit_shm_event event{};
    event.struct_size = sizeof event;
    const auto status = ask(of(self), [&](snakepit_shm_client* handle) {
        return snakepit_shm_next_event(handle, &event);
    });
    if (status == SNAKEPIT_SHM_NO_EVENT) Py_RETURN_NONE;
    if (status != SNAKEPIT_SHM_OK) return result_of(of(self), status);
    return put(cell, Py_BuildValue("(iiKKKNs)", event.kind, event.status, event.ticket, event.token,
                                   event.now, string(event.id), snakepit_shm_last_error()));
}

}  // namespace snakepit::python::detail
