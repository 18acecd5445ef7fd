// SPDX-License-Identifier: MIT
// A RegionService without sockets or threads, over simulated memory, and the programs that use it.
#pragma once

#include <sys/stat.h>

#include <QDir>
#include <QObject>
#include <QTemporaryDir>
#include <algorithm>
#include <deque>
#include <memory>
#include <string>
#include <utility>

#include "in_memory/in_memory_backend.h"
#include "layout/lease_page.h"
#include "regions/region_service.h"

namespace snakepit::shm::test {

inline constexpr std::int64_t kSecond = 1'000'000;  // microseconds

// A lease page grows with what is granted; what is beyond its end may not be touched.
inline bool page_has(const Handle& file, std::uint32_t slot) {
    struct stat info {};
    return ::fstat(file.get(), &info) == 0 &&
           static_cast<std::uint64_t>(info.st_size) >=
               layout::LeaseOffsets::chunk(slot) + layout::LeaseOffsets::chunk_bytes;
}

// A program with a lease page: it lives for as long as this object.
class Program {
  public:
    // `service` is the owner of whichever service runs: it outlives restarts, the service does not.
    Program(const std::unique_ptr<RegionService>& owner, const Credentials& who) : service_(owner) {
        auto& service = *owner;
        const auto client = service.connect_client({who, 1, "program"});
        if (!client) qFatal("%s", client.error().sentence().c_str());
        caller_ = {who, *client, service.client(*client).serial.load(), "program"};
        liveness_lock_ = std::move(*service.liveness_lock(*client));
        page_ = std::move(
            *Mapping::map(liveness_lock_, layout::LeaseOffsets::end, Mapping::Access::read_write));
    }
    const Caller& caller() const { return caller_; }
    std::uint32_t client() const { return *caller_.client; }
    layout::LeasePage lease() const { return layout::LeasePage(page_.data()); }
    const Handle& liveness_lock() const { return liveness_lock_; }
    bool take(const Grant& grant) const {
        return page_has(liveness_lock_, grant.slot) &&
               lease().acquire(grant.slot, grant.generation) ==
                   layout::LeasePage::Acquire::acquired;
    }
    bool give(const Grant& grant) const {
        return page_has(liveness_lock_, grant.slot) &&
               lease().release(grant.slot, grant.generation) !=
                   layout::LeasePage::Release::not_held;
    }
    Result<Grant> allocate(std::uint64_t size, const RegionOptions& options = {},
                           std::uint64_t request = 0) {
        Result<Grant> out = fail(ErrorCode::timeout, "no answer");
        service_->allocate(caller_, request ? request : ++requests_, size, options,
                           [&](Result<Grant> granted) { out = std::move(granted); });
        return out;
    }
    Result<Grant> map(const RegionId& id, AccessMode access = AccessMode::read_write) {
        return service_->map(caller_, id, access);
    }
    CleanupResult cleanup(const CleanupRequest& request) {
        std::uint32_t slot = 0;
        return service_->cleanup(caller_, request, slot, 1000);
    }
    CleanupResult cleanup_named(CleanupRequest request, const std::vector<RegionId>& ids) {
        request.only = ids;
        return cleanup(request);
    }
    void announce(const std::string& worker, const std::string& session) {
        if (!service_->announce(caller_, worker, "pool", session)) qFatal("announce failed");
    }
    void die() {
        page_.reset();
        liveness_lock_.reset();
    }

  private:
    const std::unique_ptr<RegionService>& service_;
    Caller caller_;
    Handle liveness_lock_;
    Mapping page_;
    std::uint64_t requests_ = 1000;
};

class ServiceBench {
  public:
    ServiceBench() : directory_("/dev/shm/snakepit-test-XXXXXX") {
        paths_ = {"test", path("run"), path("state"), {}};
        config.shm_path = directory_.path().toStdString();
        if (!prepare_directories(paths_))
            qFatal("no directories in %s", qPrintable(directory_.path()));
        auto backend = InMemoryBackend::create({});
        backend_ = std::move(*backend);
        memory = static_cast<InMemoryBackend*>(backend_.get());
        start();
    }
    // What kill -9 leaves is what this leaves: nothing is written on the way out.
    void kill() {
        service.reset();
        state.reset();
    }
    void start() {
        auto registry = RegionRegistry::open(paths_);
        if (!registry) qFatal("%s", registry.error().sentence().c_str());
        auto grants = GrantTable::open(paths_.grants(), (*registry)->epoch());
        if (!grants) qFatal("%s", grants.error().sentence().c_str());
        auto locks = LockTable::open(paths_.locks(), (*registry)->epoch());
        if (!locks) qFatal("%s", locks.error().sentence().c_str());
        state = std::make_unique<ServiceState>(
            paths_, std::move(*registry), std::move(*grants), std::move(*locks), *memory,
            [this](auto work, auto then) {
                if (!later) return work(), then();
                long_work.push_back([work, then] { work(), then(); });
            });
        service = std::make_unique<RegionService>(*state);
        service->configure(config);
        if (auto recovered = service->recover(); !recovered)
            qFatal("%s", recovered.error().sentence().c_str());
    }
    void restart() {
        kill();
        start();
    }
    // The registry as raw memory; only while no service runs.
    template <typename F>
    void edit(F change) {
        bool created = false;
        auto file = MappedFile::open_or_create(paths_.registry(), kRegistrySizes, created);
        if (!file || created) qFatal("no registry to edit");
        change(layout::RegistryView<std::byte>(file->data()));
    }
    // A reboot, as far as we can tell: the runtime directory and all segments but the durable ones
    // are gone. Only while no service runs.
    void reboot() {
        QDir(QString::fromStdString(paths_.runtime_dir)).removeRecursively();
        memory->lose_segments(kDurablePrefix);
        if (!prepare_directories(paths_)) qFatal("no directories");
    }
    void set_state(std::uint32_t slot, layout::SlotState wanted) {
        edit([&](auto view) {
            auto word = layout::Control::decode(view.slot(slot).control.load());
            word.state = wanted;
            view.slot(slot).control.store(word.encode());
        });
    }
    void reconfigure() { service->configure(config); }
    // The last event of this kind about the region; kind 0: there was none.
    layout::EventEntry last_event(const RegionId& id, EventKind kind) const {
        std::vector<layout::EventEntry> events(layout::kRingEntries);
        events.resize(state->registry.ring().read(1, events));
        for (auto it = events.rbegin(); it != events.rend(); ++it)
            if (it->id_micros == id.micros && it->id_random == id.random &&
                it->kind == static_cast<int>(kind))
                return *it;
        return {};
    }
    std::size_t count_events(const RegionId& id, EventKind kind) const {
        std::vector<layout::EventEntry> events(layout::kRingEntries);
        events.resize(state->registry.ring().read(1, events));
        return static_cast<std::size_t>(std::count_if(events.begin(), events.end(), [&](auto& e) {
            return e.id_micros == id.micros && e.id_random == id.random &&
                   e.kind == static_cast<int>(kind);
        }));
    }
    bool has(const RegionId& id) const { return state->registry.find(id).has_value(); }
    std::uint64_t references(const Caller& caller, const RegionId& id) const {
        return service->info(caller, id).value().reference_count;
    }
    const InstancePaths& paths() const { return paths_; }

    InMemoryBackend* memory = nullptr;
    Config config;
    std::unique_ptr<ServiceState> state;
    std::unique_ptr<RegionService> service;
    bool later = false;  // long work waits in `long_work`
    std::deque<std::function<void()>> long_work;

  private:
    std::string path(const char* name) const { return directory_.filePath(name).toStdString(); }
    QTemporaryDir directory_;
    InstancePaths paths_;
    std::unique_ptr<PlatformBackend> backend_;
};

inline const Credentials kUser{100, 5000, 500};

// Each test function has a service, and a program of one user.
class ServiceFixture : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init() {
        bench_ = std::make_unique<ServiceBench>();
        user_ = std::make_unique<Program>(bench_->service, kUser);
    }
    void cleanup() {
        user_.reset();
        bench_.reset();
    }

  protected:
    RegionService& service() { return *bench_->service; }
    ServiceState& state() { return *bench_->state; }
    template <typename T>
    static ErrorCode code(const Result<T>& result) {
        return result ? ErrorCode{} : result.error().code;
    }

    std::unique_ptr<ServiceBench> bench_;
    std::unique_ptr<Program> user_;
};

}  // namespace snakepit::shm::test
