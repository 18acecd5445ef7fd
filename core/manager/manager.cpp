// SPDX-License-Identifier: MIT
#include "manager/manager.h"

#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <future>
#include <thread>
#include <tuple>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/interval_elapsed.h"
#include "base/pluralize.h"
#include "crypto/keys.h"
#include "events/event_recorder.h"
#include "layout/ownership.h"
#include "manager/backend_loader.h"
#include "monitoring/monitoring.h"
#include "monitoring/reports.h"
#include "monitoring/runtime_files.h"
#include "platform/background_thread.h"
#include "platform/keeper.h"
#include "platform/process_lock.h"
#include "platform/replace_file.h"
#include "regions/region_service.h"
#include "server/access_groups.h"
#include "server/server.h"

namespace snakepit::shm {

namespace {

constexpr auto kTick = std::chrono::milliseconds(200);
// Between the parts of work that is too much for one turn: the others come in between.
constexpr auto kSoon = std::chrono::milliseconds(1);
// How long a manager that was just killed may keep the lock while the kernel takes it apart.
constexpr int kLockPatienceMs = 3000;

std::int64_t modified_at(const std::string& path) {
    struct stat info {};
    if (path.empty() || ::stat(path.c_str(), &info) != 0) return 0;
    return static_cast<std::int64_t>(info.st_mtim.tv_sec) * 1'000'000'000 + info.st_mtim.tv_nsec;
}

std::shared_ptr<DescriptorKeeper> choose_keeper(const InstancePaths& paths) {
    auto keeper = systemd_store();
    return keeper ? keeper : keeper_process(paths.keeper_socket());
}

// Before anything is changed: without its key an instance neither records nor reads what it kept.
Result<std::shared_ptr<const InstanceKey>> load_key(const InstancePaths& paths) {
    SHM_ASSIGN(auto key, paths.key_file.empty() ? InstanceKey::load_or_create(paths.instance_key())
                                                : InstanceKey::load(paths.key_file));
    return std::make_shared<const InstanceKey>(std::move(key));
}

// Signs the history, and lets everybody who reads it check that.
Result<EventRecorder::Audit> prepare_audit(const InstancePaths& paths, const InstanceKey& key) {
    SHM_ASSIGN(auto audit_key, key.audit_key());
    const auto text = to_hex(audit_key.public_key());
    std::string there;
    std::ifstream(paths.audit_public_key()) >> there;
    // A full disk does not keep a manager from starting again.
    if (there != text) SHM_TRY(replace_file(paths.audit_public_key(), text + "\n", 0644));
    return EventRecorder::Audit{std::make_shared<const SigningKey>(std::move(audit_key)),
                                paths.audit_head()};
}

// A copied runtime directory: the regions in it are those of the manager that has the original.
constexpr std::string_view kCopied = "copied from one that runs; kept as registry.copy-<time>";
Status set_copy_aside(const std::string& path) {
    if (std::rename(path.c_str(), fmt::format("{}.copy-{}", path, now().micros).c_str()) == 0)
        return {};
    return fail(system_error(errno, fmt::format("cannot set {} aside", path)));
}

Credentials ourselves() {
    return {::getpid(), ::geteuid(), ::getegid()};
}

}  // namespace

// Members are destroyed from the bottom up: the thread first, then what it used.
class Manager::Private {
  public:
    explicit Private(ManagerOptions options_in)
        : options(std::move(options_in)), io(1), timer(io), soon(io) {}
    ~Private();

    Status start();
    // `by`: who asked for it; ourselves for a changed file.
    Result<std::string> reload(const Credentials& by);
    void record_policy_changes(const Config& before, const Credentials& by);
    void schedule_tick();
    void tick();
    // Goes on with what is more than one turn's work.
    void run_slice();
    void wake_recorder();
    Status can_record() const;
    // Restores what others removed from the runtime directory, where that is possible.
    void mend_runtime_files();

    ManagerOptions options;
    Config config;
    ExclusiveLock lock;
    OwnershipMark mark;  // says to other managers that our segments have an owner
    std::shared_ptr<const InstanceKey> key;  // for whoever signs or encrypts
    LoadedBackend loaded;
    boost::asio::io_context io;  // for one thread
    BackgroundThread background{"shm-background"};
    boost::asio::steady_timer timer, soon;
    bool slice_scheduled = false;
    std::unique_ptr<ServiceState> state;
    std::unique_ptr<RegionService> service;
    std::unique_ptr<EventRecorder> recorder;
    std::unique_ptr<Monitoring> monitoring;
    std::unique_ptr<Server> server;
    RuntimeFiles runtime_files;
    AccessGroups access;
    Timestamp started_at = now();
    std::int64_t config_modified = 0;
    std::int64_t next_second = 0;
    std::uint64_t recorded_head = 0;
    std::thread thread;
};

Manager::Private::~Private() {
    if (thread.joinable()) {
        boost::asio::post(io, [this] {
            service->stop_background();
            io.stop();
        });
        thread.join();
        // What the other thread was still doing is finished here.
        background.finish();
        io.restart();
        io.poll();
        state->allocator.pool.return_empty(state->registry.time(), 0);
        state->signals.drop_unused();
        if (service->owns_nothing()) mark.remove();
        state->registry.record(
            {.kind = EventKind::manager_stopped, .pid = ::getpid(), .uid = ::geteuid()});
        state->registry.state().manager_pid.store(0, std::memory_order_relaxed);
    }
    background.finish();
    server.reset();
    recorder.reset();  // after the last event
}

Status Manager::Private::start() {
    config = options.config;
    SHM_ASSIGN(access, find_access_groups(config));
    SHM_TRY(prepare_directories(options.paths, access));
    SHM_ASSIGN(lock, ExclusiveLock::acquire(options.paths.service_lock(), kLockPatienceMs));
    SHM_ASSIGN(key, load_key(options.paths));
    SHM_ASSIGN(auto audit, prepare_audit(options.paths, *key));
    SHM_ASSIGN(loaded, load_backend(options.backend, options.plugin_dir,
                                    {config.shm_path, options.paths.durable_dir(),
                                     choose_keeper(options.paths)}));
    // A file that grows past RLIMIT_FSIZE is an error, not a signal that ends the process.
    ::signal(SIGXFSZ, SIG_IGN);

    const bool copied = Ownership::copied(config.shm_path, options.paths, ::geteuid());
    if (copied) SHM_TRY(set_copy_aside(options.paths.registry()));
    SHM_ASSIGN(auto registry, RegionRegistry::open(options.paths));
    if (copied) registry->record({.kind = EventKind::registry_reset, .text = kCopied});
    mark = OwnershipMark(config.shm_path, options.paths, ::geteuid(), registry->epoch());
    SHM_TRY(
        set_access(options.paths.registry(), access.admin_group ? 0640 : 0600, access.admin_group));
    SHM_ASSIGN(auto grants, GrantTable::open(options.paths.grants(), registry->epoch()));
    SHM_ASSIGN(auto encryption,
               EncryptionTable::open(options.paths.encryption(), registry->epoch()));
    SHM_ASSIGN(auto locks, LockTable::open(options.paths.locks(), registry->epoch()));
    state = std::make_unique<ServiceState>(
        options.paths, std::move(registry), std::move(grants), std::move(locks), *loaded.backend,
        [this](std::function<void()> work, std::function<void()> then) {
            background.post([this, work = std::move(work), then = std::move(then)] {
                work();
                boost::asio::post(io, then);
            });
        });
    state->encryption = std::move(encryption);
    state->key = key;
    state->own_mark = mark.name();
    state->can_record = [this] { return can_record(); };
    // The journal has it with all its fields, where events go there.
    if (options.alarm)
        state->alarm = [this](const std::string& what) {
            if (!monitoring->telemetry().journal_works()) options.alarm(what);
        };
    service = std::make_unique<RegionService>(*state);
    service->configure(config);
    recorder = std::make_unique<EventRecorder>(state->registry.ring(), state->registry.epoch(),
                                               options.paths.events_db(), std::move(audit));
    recorder->set_retention(config.event_retention_ms, config.event_max_size);
    monitoring = std::make_unique<Monitoring>(*state, *service, *recorder);
    monitoring->health().watch(mark, runtime_files);
    SHM_TRY(service->recover());
    monitoring->watch(std::make_unique<AlertManager>(
        state->registry, state->database, [this](std::function<void()> work) {
            boost::asio::post(io, [this, work = std::move(work)] {
                work();
                wake_recorder();
            });
        }));
    monitoring->configure(config);
    config_modified = modified_at(options.paths.config_file);
    if (!options.paths.config_file.empty())
        state->registry.record({.kind = EventKind::config_loaded,
                                .pid = ::getpid(),
                                .text = options.paths.config_file});

    auto& shared = state->registry.state();
    shared.started_at.store(started_at.micros, std::memory_order_relaxed);
    shared.manager_pid.store(::getpid(), std::memory_order_relaxed);
    SHM_ASSIGN(auto listener, Listener::bind(options.paths.control_socket(), access.socket_mode,
                                             access.socket_group));
    runtime_files.watch(options.paths);
    server = std::make_unique<Server>(
        io, *state, *service, std::move(listener),
        [this](const std::string& topic, const Caller& caller) {
            return make_report(topic, {*state, *service, *recorder, server->connections(),
                                       *monitoring, started_at, caller});
        },
        [this](const Credentials& by) { return reload(by); },
        [this] {
            wake_recorder();
            if (service->has_loans()) run_slice();  // they end in a moment
        });
    server->alerts = [this](const Caller& caller, const auto&... request) {
        monitoring->alerts().request({caller.credentials.pid, caller.credentials.uid}, request...);
    };
    server->start();
    tick();
    thread = std::thread([this] { io.run(); });
    ::pthread_setname_np(thread.native_handle(), "shm-service");  // as top and gdb show it
    return {};
}

void Manager::Private::wake_recorder() {
    const auto head = state->registry.ring().head();
    if (head == recorded_head) return;
    recorded_head = head;
    recorder->wake();
}

// What must be recorded must not happen when it cannot be, or behind so much else that it may
// never.
Status Manager::Private::can_record() const {
    const auto recording = recorder->state();
    if (recording.problem.empty() && recording.lag < layout::kRingEntries / 2) return {};
    return fail(
        ErrorCode::audit_unavailable,
        fmt::format("its accesses are audited and cannot be recorded: {}",
                    recording.problem.empty()
                        ? pluralize(recording.lag, "event waits", "events wait") + " for the disk"
                        : recording.problem),
        "mend the event database, or use a region without audit");
}

void Manager::Private::mend_runtime_files() {
    runtime_files.check();
    if (runtime_files.faults().empty()) return;
    const auto& paths = options.paths;
    if (runtime_files.fault_of(paths.lease_dir()) == "was removed" &&
        prepare_directories(paths, access))
        runtime_files.renew(paths.lease_dir());
    // First: whoever has the lock serves the instance, and the socket is theirs.
    if (!runtime_files.fault_of(paths.service_lock()).empty()) {
        auto again = ExclusiveLock::acquire(paths.service_lock(), 0);
        if (!again) return;
        lock = std::move(*again);
        runtime_files.renew(paths.service_lock());
    }
    const auto gone = runtime_files.fault_of(paths.control_socket());
    if (gone.empty()) return;
    auto listener = Listener::bind(paths.control_socket(), access.socket_mode, access.socket_group);
    if (!listener) return;
    server->listen_on(std::move(*listener));
    runtime_files.renew(paths.control_socket());
    state->registry.record({.kind = EventKind::socket_restored,
                            .pid = ::getpid(),
                            .uid = ::geteuid(),
                            .text = "control.sock " + gone});
}

void Manager::Private::schedule_tick() {
    timer.expires_after(kTick);
    timer.async_wait([this](const boost::system::error_code& error) {
        if (!error) tick();
    });
}

void Manager::Private::tick() {
    auto& registry = state->registry;
    const auto at = registry.time();
    const auto began = monotonic_nanos();
    registry.follow_wall_clock();
    if (service->tick(at)) run_slice();
    monitoring->run_slice();
    if (interval_elapsed(at, kMicrosPerSecond, next_second)) {
        registry.state().heartbeat.store(now().micros, std::memory_order_relaxed);
        registry.state().beat.store(boot_micros(), std::memory_order_relaxed);
        mark.tend();
        mend_runtime_files();
        if (options.heartbeat) options.heartbeat();
        monitoring->on_second();
        const auto modified = modified_at(options.paths.config_file);
        if (modified != config_modified) (void)reload(ourselves());  // recorded either way
    }
    wake_recorder();
    schedule_tick();
    state->stats.slice_ended(began);
}

void Manager::Private::run_slice() {
    if (std::exchange(slice_scheduled, true)) return;
    soon.expires_after(kSoon);
    soon.async_wait([this](const boost::system::error_code& error) {
        slice_scheduled = false;
        const auto began = monotonic_nanos();
        if (!error && service->run_slice(state->registry.time())) run_slice();
        wake_recorder();
        state->stats.slice_ended(began);
    });
}

// What new regions get and who has which role: as much a policy as a region's own.
void Manager::Private::record_policy_changes(const Config& before, const Credentials& by) {
    const auto record = [&](const std::string& text) {
        state->registry.record(
            {.kind = EventKind::policy_changed, .pid = by.pid, .uid = by.uid, .text = text});
    };
    if (config.policy != before.policy) record("new regions: " + summary(config.policy));
    if (config.roles != before.roles)
        record(fmt::format("administrators: {}; operators: {}",
                           fmt::join(config.roles.administrators, " "),
                           fmt::join(config.roles.operators, " ")));
    if (config.quotas != before.quotas) record(fmt::format("quotas: {}", config.quotas.size()));
}

Result<std::string> Manager::Private::reload(const Credentials& by) {
    auto& registry = state->registry;
    config_modified = modified_at(options.paths.config_file);
    auto fresh = Config::load(options.paths.config_file);
    if (!fresh) {
        registry.record({.kind = EventKind::config_refused,
                         .result = fresh.error().code,
                         .text = fresh.error().message});
        return fail(std::move(fresh).error());
    }
    const auto later = fresh->needs_restart(config);
    // What needs a restart stays as it runs, so that what is reported is what holds.
    const auto shm_path = config.shm_path;
    const auto hugepages = config.use_hugepages;
    const auto groups = std::tuple(config.socket_group, config.socket_mode, config.admin_group);
    const auto before = std::exchange(config, std::move(*fresh));
    config.shm_path = shm_path;
    config.use_hugepages = hugepages;
    std::tie(config.socket_group, config.socket_mode, config.admin_group) = groups;
    service->configure(config);
    monitoring->configure(config);
    recorder->set_retention(config.event_retention_ms, config.event_max_size);
    registry.record({.kind = EventKind::config_loaded,
                     .pid = by.pid,
                     .uid = by.uid,
                     .text = options.paths.config_file});
    record_policy_changes(before, by);
    QJsonArray keys;
    for (const auto& name : later) keys.append(QString::fromStdString(name));
    return QJsonDocument(QJsonObject{{"file", QString::fromStdString(options.paths.config_file)},
                                     {"needs_restart", keys}})
        .toJson(QJsonDocument::Compact)
        .toStdString();
}

Result<std::unique_ptr<Manager>> Manager::start(ManagerOptions options) {
    auto d = std::make_unique<Private>(std::move(options));
    SHM_TRY(d->start());
    return std::unique_ptr<Manager>(new Manager(std::move(d)));
}

Manager::Manager(std::unique_ptr<Private> d) : d_(std::move(d)) {}
Manager::~Manager() = default;

const InstancePaths& Manager::paths() const {
    return d_->options.paths;
}

void Manager::run(const std::function<void(RegionService&)>& work) {
    std::promise<void> done;
    boost::asio::post(d_->io, [&] {
        work(*d_->service);
        d_->wake_recorder();
        done.set_value();
    });
    done.get_future().wait();
}

Result<std::string> Manager::reload_config() {
    std::promise<Result<std::string>> done;
    boost::asio::post(d_->io, [&] { done.set_value(d_->reload(ourselves())); });
    return done.get_future().get();
}

}  // namespace snakepit::shm
