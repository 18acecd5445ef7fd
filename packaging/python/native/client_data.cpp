// SPDX-License-Identifier: MIT
// Client: copies of parts of regions, cleanup, and the names of this process.
#include <cstdint>

#include "client_support.h"

namespace snakepit::python::detail {

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

}  // namespace snakepit::python::detail
