// SPDX-License-Identifier: MIT
#include "top/manager_poller.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>

namespace snakepit::shm::cli {

namespace {

constexpr auto kPollInterval = std::chrono::seconds(2);
constexpr int kPollPatienceMs = 1000;
constexpr int kEvents = 20;

// Keeps the last value where there is only an error now.
template <typename T>
void keep(Polled<T>& kept, Result<T> result) {
    kept.error.reset();
    if (!result) {
        kept.error = std::move(result).error();
        return;
    }
    kept.at = now();
    kept.value = std::move(*result);
}

}  // namespace

Result<std::unique_ptr<ManagerPoller>> ManagerPoller::start(const InstancePaths& paths) {
    std::unique_ptr<ManagerPoller> poller(new ManagerPoller(paths));
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0)
        return fail(system_error(errno, "cannot make a pipe"));
    poller->read_end_.reset(ends[0]);
    poller->write_end_.reset(ends[1]);
    poller->thread_ = std::thread([self = poller.get()] { self->run(); });
    return poller;
}

ManagerPoller::~ManagerPoller() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    changed_.notify_one();
    if (thread_.joinable()) thread_.join();
}

void ManagerPoller::request(const PollRequest& wanted) {
    const std::lock_guard lock(mutex_);
    if (wanted_ == wanted) return;
    wanted_ = wanted;
    hurry_ = true;
    changed_.notify_one();
}

void ManagerPoller::acknowledge(std::uint64_t alert) {
    const std::lock_guard lock(mutex_);
    to_acknowledge_.push_back(alert);
    hurry_ = true;
    changed_.notify_one();
}

std::optional<PollResults> ManagerPoller::results() {
    std::array<char, 64> drained{};
    while (::read(read_end_.get(), drained.data(), drained.size()) > 0) {
    }
    const std::lock_guard lock(mutex_);
    if (!fresh_) return std::nullopt;
    fresh_ = false;
    return published_;
}

void ManagerPoller::run() {
    std::unique_lock lock(mutex_);
    while (!ending_) {
        // A request that was changed is sent at once, and again two seconds later.
        changed_.wait_for(lock, kPollInterval, [this] { return hurry_ || ending_; });
        if (ending_) return;
        hurry_ = false;
        const auto wanted = wanted_;
        const auto acknowledge = std::exchange(to_acknowledge_, {});
        lock.unlock();
        for (const auto alert : acknowledge) send_acknowledgement(alert);
        if (wanted != PollRequest{} || !acknowledge.empty()) {
            poll_all(wanted);
            drop_lost_connection();
            notify();
        }
        lock.lock();
    }
}

void ManagerPoller::poll_all(const PollRequest& wanted) {
    if (wanted.alerts) poll_alerts();
    if (wanted.locks) poll_locks(wanted.filter);
    if (wanted.region) poll_region(*wanted.region);
}

void ManagerPoller::notify() {
    {
        const std::lock_guard lock(mutex_);
        published_ = results_;
        fresh_ = true;
    }
    // A full pipe notifies as well.
    [[maybe_unused]] const auto written = ::write(write_end_.get(), "", 1);
}

Result<ManagerClient*> ManagerPoller::manager() {
    if (client_) return client_.get();
    ConnectOptions options;
    options.instance = paths_.instance;
    options.timeout_ms = kPollPatienceMs;
    options.lease = false;
    SHM_ASSIGN(client_, ManagerClient::connect(options));
    return client_.get();
}

// The next manager may not know the connection: the next request makes another.
void ManagerPoller::drop_lost_connection() {
    for (const auto* error : {&results_.alerts.error, &results_.locks.error, &results_.info.error})
        if (*error && ((*error)->type() == ErrorType::no_manager ||
                       (*error)->code == ErrorCode::registry_lost))
            client_.reset();
}

void ManagerPoller::poll_alerts() {
    keep(results_.alerts, [this]() -> Result<std::vector<Alert>> {
        SHM_ASSIGN(auto* client, manager());
        SHM_ASSIGN(const auto json, client->alerts("list"));
        return parse_alerts(json);
    }());
}

void ManagerPoller::send_acknowledgement(std::uint64_t alert) {
    auto& done = results_.acknowledged;
    keep(done, [&]() -> Result<std::string> {
        SHM_ASSIGN(auto* client, manager());
        SHM_TRY(client->alerts("ack", fmt::format(R"({{"id":{}}})", alert)));
        for (const auto& one : results_.alerts.value)
            if (one.id == alert) return one.title.empty() ? one.rule : one.title;
        return fmt::format("alert {}", alert);
    }());
    done.at = now();  // also of a refusal, which is shown once
}

void ManagerPoller::poll_locks(const std::string& filter) {
    keep(results_.locks, [&]() -> Result<std::vector<RegionLocks>> {
        SHM_ASSIGN(auto* client, manager());
        return client->locks(filter);
    }());
}

void ManagerPoller::poll_region(const RegionId& id) {
    if (results_.region != id) {
        results_.info = {};
        results_.events = {};
        results_.region = id;
    }
    keep(results_.info, [&]() -> Result<RegionInfo> {
        SHM_ASSIGN(auto* client, manager());
        return client->info(id);
    }());
    keep(results_.events, [&]() -> Result<std::vector<EventRow>> {
        SHM_ASSIGN(auto reader, EventReader::open(paths_.events_db()));
        EventQuery query;
        query.region_id = id.str();
        query.newest_first = true;
        query.limit = kEvents;
        return reader.query(query);
    }());
}

}  // namespace snakepit::shm::cli
