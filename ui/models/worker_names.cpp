// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/worker_names.h"

#include <mutex>
#include <unordered_map>

#include "ui/models/format.h"

namespace snakepit::shm::ui {

namespace {

std::mutex mutex;
std::unordered_map<std::int64_t, QString> workers;  // by process id

}  // namespace

void set_worker_names(const std::vector<ClientInfo>& clients) {
    std::unordered_map<std::int64_t, QString> next;
    for (const auto& client : clients)
        if (client.pid != 0 && !client.worker.empty())
            next.emplace(client.pid, to_qstring(client.worker));
    const std::lock_guard lock(mutex);
    workers = std::move(next);
}

QString worker_name(std::int64_t pid) {
    const std::lock_guard lock(mutex);
    const auto found = workers.find(pid);
    return found == workers.end() ? QString() : found->second;
}

QString process_text(std::string_view program, std::int64_t pid) {
    const auto text = u"%1 %2"_s.arg(program_text(program, pid)).arg(pid);
    const auto worker = worker_name(pid);
    return worker.isEmpty() ? text : u"%1 (%2)"_s.arg(text, worker);
}

}  // namespace snakepit::shm::ui
