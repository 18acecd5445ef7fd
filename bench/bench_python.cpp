// SPDX-License-Identifier: MIT
// The Python package, compared with the C interface under it and with Python's own
// multiprocessing.shared_memory. Python runs python_side.py, one round a line.
#include <unistd.h>

#include <cstdlib>

#include <fmt/format.h>

#include "base/handle.h"
#include "service_process.h"
#include "snakepit/shm/snakepit_shm.h"

namespace snakepit::shm::bench {

namespace {

constexpr double kMapNanos = 200;  // what Python may add to C

struct Pipe {
    Pipe() {
        int ends[2];
        if (::pipe(ends) != 0) std::abort();
        read = Handle(ends[0]);
        write = Handle(ends[1]);
    }
    Handle read, write;
};

class PythonSide {
  public:
    PythonSide() {
        in_.read.reset();
        out_.write.reset();  // so that its end is the end of what can be read
        hello_ = line();
    }
    ~PythonSide() {
        if (ready()) (void)ask("end");
    }
    bool ready() const { return hello_ == "ready"; }
    const std::string& hello() const { return hello_; }  // "ready", or why it is not

    // Nanoseconds for one operation.
    double nanos(const char* operation, const std::string& id, int times) {
        return std::strtod(ask(fmt::format("{} {} {}", operation, id, times)).c_str(), nullptr);
    }

  private:
    std::string ask(std::string words) {
        words += '\n';
        if (::write(in_.write.get(), words.data(), words.size()) < 0) return {};
        return line();
    }
    std::string line() {
        std::string out;
        for (char c = 0; ::read(out_.read.get(), &c, 1) == 1 && c != '\n';) out += c;
        return out;
    }

    Pipe in_, out_;
    std::string hello_;
    Child child_{[this] {
        ::dup2(in_.read.get(), STDIN_FILENO);
        ::dup2(out_.write.get(), STDOUT_FILENO);
        // Else the child would wait for the end of its own input.
        in_.write.reset();
        ::setenv("PYTHONPATH", SNAKEPIT_PYTHON_PACKAGES, 1);
        ::execl("/usr/bin/python3", "python3", SNAKEPIT_PYTHON_SIDE, nullptr);
    }};
};

void must(snakepit_shm_status status) {
    if (status != SNAKEPIT_SHM_OK) std::abort();
}

void rows(Report& report, snakepit_shm_client* client, PythonSide& python) {
    const int times = report.options().scaled(50'000), rounds = report.options().rounds();
    const int few = std::max(1, times / 50);
    char id[SNAKEPIT_SHM_ID_SIZE];
    must(snakepit_shm_allocate(client, 1 << 20, nullptr, id));
    const auto beside = [&](const char* operation, int count, auto c_work) {
        return interleaved(
            rounds, [&] { return nanos_each(count, c_work); },
            [&] { return python.nanos(operation, id, count); });
    };

    const auto map = beside("map", times, [&] {
        snakepit_shm_mapping mapping;
        must(snakepit_shm_map(client, id, SNAKEPIT_SHM_READ_ONLY, &mapping));
        must(snakepit_shm_unmap(client, &mapping));
    });
    report.add({"Python: map + unmap", "C interface; target: 200 ns more", "ns", map.floor,
                map.ours, (map.floor + kMapNanos) / map.floor});
    const auto lock = beside("lock", times, [&] {
        std::uint64_t token = 0;
        must(snakepit_shm_lock(client, id, SNAKEPIT_SHM_READ_WRITE, UINT32_MAX, &token));
        must(snakepit_shm_unlock(client, id, token));
    });
    report.add({"Python: lock + unlock", "C interface", "ns", lock.floor, lock.ours, 15});
    const auto allocate = beside("allocate", few, [&] {
        char made[SNAKEPIT_SHM_ID_SIZE];
        snakepit_shm_mapping mapping;
        must(snakepit_shm_allocate(client, 4096, nullptr, made));
        must(snakepit_shm_map(client, made, SNAKEPIT_SHM_READ_WRITE, &mapping));
        must(snakepit_shm_unmap(client, &mapping));
        must(snakepit_shm_deallocate(client, made));
    });
    report.add({"Python: allocate + map + free", "C interface", "us", allocate.floor / 1000,
                allocate.ours / 1000, 1.5});
    const auto theirs = interleaved(
        rounds, [&] { return python.nanos("theirs", id, few); },
        [&] { return python.nanos("map", id, times); });
    report.add({"Python: map + unmap of 1 MiB", "multiprocessing.shared_memory", "ns", theirs.floor,
                theirs.ours, 0.1});
    must(snakepit_shm_deallocate(client, id));
}

}  // namespace

void measure_python(Report& report) {
    const ServiceProcess service;
    if (const auto ready = ServiceProcess::connect(); !ready)
        return report.skip("Python", ready.error());
    PythonSide python;
    if (!python.ready())
        return report.skip(
            "Python", make_error(ErrorCode::not_supported, "no Python package: " + python.hello(),
                                 "build the target snakepit_python_package"));
    snakepit_shm_client* client = nullptr;
    must(snakepit_shm_connect(nullptr, &client));
    rows(report, client, python);
    snakepit_shm_disconnect(client);
}

}  // namespace snakepit::shm::bench
