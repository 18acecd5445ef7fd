// SPDX-License-Identifier: MIT
#include "top/asker.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>

namespace snakepit::shm::cli {

namespace {

constexpr auto kAgain = std::chrono::seconds(2);
constexpr int kPatienceMs = 1000;
constexpr int kEvents = 20;

// Keeps what was heard last where there is only an error now.
template <typename T>
void keep(Answer<T>& answer, Result<T> result) {
    answer.error.reset();
    if (!result) {
        answer.error = std::move(result).error();
        return;
    }
    answer.at = now();
    answer.value = std::move(*result);
}

}  // namespace

Result<std::unique_ptr<Asker>> Asker::start(const InstancePaths& paths) {
    std::unique_ptr<Asker> asker(new Asker(paths));
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0)
        return fail(system_error(errno, "cannot make a pipe"));
    asker->news_.reset(ends[0]);
    asker->tell_.reset(ends[1]);
    asker->thread_ = std::thread([self = asker.get()] { self->run(); });
    return asker;
}

Asker::~Asker() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    changed_.notify_one();
    if (thread_.joinable()) thread_.join();
}

void Asker::ask(const Questions& questions) {
    const std::lock_guard lock(mutex_);
    if (wanted_ == questions) return;
    wanted_ = questions;
    hurry_ = true;
    changed_.notify_one();
}

void Asker::acknowledge(std::uint64_t alert) {
    const std::lock_guard lock(mutex_);
    to_acknowledge_.push_back(alert);
    hurry_ = true;
    changed_.notify_one();
}

std::optional<Answers> Asker::answers() {
    std::array<char, 64> drained{};
    while (::read(news_.get(), drained.data(), drained.size()) > 0) {
    }
    const std::lock_guard lock(mutex_);
    if (!fresh_) return std::nullopt;
    fresh_ = false;
    return told_;
}

void Asker::run() {
    std::unique_lock lock(mutex_);
    while (!ending_) {
        // A question that was changed is asked at once, and another time two seconds later.
        changed_.wait_for(lock, kAgain, [this] { return hurry_ || ending_; });
        if (ending_) return;
        hurry_ = false;
        const auto wanted = wanted_;
        const auto acknowledge = std::exchange(to_acknowledge_, {});
        lock.unlock();
        for (const auto alert : acknowledge) ask_acknowledgement(alert);
        if (wanted != Questions{} || !acknowledge.empty()) {
            ask_all(wanted);
            forget_a_lost_manager();
            tell();
        }
        lock.lock();
    }
}

void Asker::ask_all(const Questions& questions) {
    if (questions.alerts) ask_alerts();
    if (questions.locks) ask_locks(questions.filter);
    if (questions.region) ask_region(*questions.region);
}

void Asker::tell() {
    {
        const std::lock_guard lock(mutex_);
        told_ = heard_;
        fresh_ = true;
    }
    // A full pipe is news enough.
    [[maybe_unused]] const auto written = ::write(tell_.get(), "", 1);
}

Result<ManagerClient*> Asker::manager() {
    if (client_) return client_.get();
    ConnectOptions options;
    options.instance = paths_.instance;
    options.timeout_ms = kPatienceMs;
    options.lease = false;
    SHM_ASSIGN(client_, ManagerClient::connect(options));
    return client_.get();
}

// Its successor may know nothing of our connection: the next question makes another.
void Asker::forget_a_lost_manager() {
    for (const auto* error : {&heard_.alerts.error, &heard_.locks.error, &heard_.info.error})
        if (*error && ((*error)->type() == ErrorType::no_manager ||
                       (*error)->code == ErrorCode::registry_lost))
            client_.reset();
}

void Asker::ask_alerts() {
    keep(heard_.alerts, [this]() -> Result<std::vector<Alert>> {
        SHM_ASSIGN(auto* client, manager());
        SHM_ASSIGN(const auto json, client->alerts("list"));
        return parse_alerts(json);
    }());
}

void Asker::ask_acknowledgement(std::uint64_t alert) {
    auto& done = heard_.acknowledged;
    keep(done, [&]() -> Result<std::string> {
        SHM_ASSIGN(auto* client, manager());
        SHM_TRY(client->alerts("ack", fmt::format(R"({{"id":{}}})", alert)));
        for (const auto& one : heard_.alerts.value)
            if (one.id == alert) return one.title.empty() ? one.rule : one.title;
        return fmt::format("alert {}", alert);
    }());
    done.at = now();  // also of a refusal, which is said once
}

void Asker::ask_locks(const std::string& filter) {
    keep(heard_.locks, [&]() -> Result<std::vector<RegionLocks>> {
        SHM_ASSIGN(auto* client, manager());
        return client->locks(filter);
    }());
}

void Asker::ask_region(const RegionId& id) {
    if (heard_.region != id) {
        heard_.info = {};
        heard_.events = {};
        heard_.region = id;
    }
    keep(heard_.info, [&]() -> Result<RegionInfo> {
        SHM_ASSIGN(auto* client, manager());
        return client->info(id);
    }());
    keep(heard_.events, [&]() -> Result<std::vector<EventRow>> {
        SHM_ASSIGN(auto reader, EventReader::open(paths_.events_db()));
        EventQuery query;
        query.region_id = id.str();
        query.newest_first = true;
        query.limit = kEvents;
        return reader.query(query);
    }());
}

}  // namespace snakepit::shm::cli
