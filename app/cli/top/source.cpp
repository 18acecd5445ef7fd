// SPDX-License-Identifier: MIT
#include "top/source.h"

namespace snakepit::shm::cli {

Result<Source> Source::open(const InstancePaths& paths) {
    SHM_ASSIGN(auto reader, RegistryReader::open(paths.registry()));
    return Source(std::move(reader));
}

Snapshot Source::read() {
    Snapshot out;
    out.delta = reader_.poll();
    if (out.delta.reset) last_sample_ = 0;
    out.clients = reader_.clients();
    out.samples = reader_.samples(last_sample_);
    if (!out.samples.empty()) last_sample_ = out.samples.back().seq;
    out.manager_pid = reader_.manager_pid();
    out.started_at = reader_.started_at();
    out.heartbeat = reader_.heartbeat();
    out.at = now();
    return out;
}

}  // namespace snakepit::shm::cli
