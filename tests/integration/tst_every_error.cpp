// SPDX-License-Identifier: MIT
// Each error code there is comes from a real manager, or from the client library or command line
// beside one: the table of codes is gone through, and a code that nothing below brings about fails
// the test. A code that nobody can get has to go.
#include <sys/mount.h>

#include <atomic>
#include <thread>

#include "../security/raw_client.h"
#include "base/lock_owner.h"
#include "every_fixture.h"
#include "platform/process.h"

using namespace snakepit::shm;
using namespace snakepit::shm::test;

using C = ErrorCode;

namespace {

constexpr C kNone{};  // it went well, or did not come so far

template <typename T>
C code_of(const Result<T>& result) {
    return result ? kNone : result.error().code;
}

C parsed(const QString& name) {
#define X(code, type, number) \
    if (name == QLatin1String(#code)) return C::code;
    SNAKEPIT_SHM_ERROR_CODES(X)
#undef X
    return kNone;
}

C from_cli(const Situation& s, const QStringList& words) {
    return parsed(s.service.cli(QStringList{"--json"} + words).error()["code"].toString());
}

// What a child process found: a code as its exit status.
C from_child(const std::function<C()>& work) {
    const auto child = ::fork();
    if (child == 0) ::_exit(static_cast<int>(work()));
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? static_cast<C>(WEXITSTATUS(status)) : kNone;
}

C allocation(Situation& s, std::uint64_t size = 4096, int times = 1,
             const RegionOptions& options = {}) {
    auto client = s.client();
    auto got = client->allocate(size, options);
    for (int i = 1; i < times && got; ++i) got = client->allocate(size, options);
    return code_of(got);
}

QString dedicated(const Situation& s) {
    return s.allocate({"64KiB", "--placement", "dedicated"});
}

RegionId id_of(const QString& id) {
    return RegionId::parse(id.toStdString()).value_or(RegionId{});
}

// What the manager answers before it closes the connection.
C answer_to(RawClient& connection, const wire::RequestT& request) {
    Encoder encoder;
    Frame frame;
    if (!connection.send(encoder.encode(request))) return kNone;
    (void)connection.channel().wait(false, kPatienceMs);
    if (!connection.channel().receive(frame)) return kNone;
    const auto reply = decode_reply(frame.bytes);
    const auto* failure = reply ? reply->answer.AsFailure() : nullptr;
    return failure ? static_cast<C>(failure->code) : kNone;
}

C raw(Situation& s, const wire::RequestT& request, bool from_another_process = false) {
    auto connection = RawClient::open(s.runtime("control.sock").toStdString(), false);
    if (from_another_process) return from_child([&] { return answer_to(connection, request); });
    return answer_to(connection, request);
}

wire::RequestT greeting(std::uint32_t version) {
    wire::HelloT hello;
    hello.version = version;
    hello.lease = false;
    wire::RequestT request;
    request.call.Set(std::move(hello));
    return request;
}

// ------------------------------------------------------------------ the ways

C mapping_of_removed_memory(Situation& s) {
    const auto id = dedicated(s);
    QFile::remove(s.segment(id));
    return code_of(s.client()->map(id_of(id), AccessMode::read_only));
}

C mapping_of_cut_memory(Situation& s) {
    const auto id = dedicated(s);
    QFile::resize(s.segment(id), 4096);
    return code_of(s.client()->map(id_of(id), AccessMode::read_only));
}

// Another file, or a directory, where the memory was.
C deallocation(Situation& s, bool directory) {
    const auto id = dedicated(s), path = s.segment(id);
    QFile::remove(path);
    if (directory)
        QDir().mkpath(path);
    else
        Situation::write(path, "not ours");
    const auto code = code_of(s.client()->deallocate(id_of(id)));
    QFile::remove(path);
    QDir(path).removeRecursively();
    return code;
}

C deadlock(Situation& s) {
    const auto first = s.region(), second = s.region();
    auto a = s.client(), b = s.client();
    (void)a->lock(first, AccessMode::read_write, 0);
    std::atomic<bool> has_second{false};
    std::thread waits([&] {
        has_second = b->lock(second, AccessMode::read_write, 0).has_value();
        (void)b->lock(first, AccessMode::read_write, kPatienceMs);
    });
    C got = kNone;
    (void)QTest::qWaitFor(
        [&] {  // `timeout` until the other one waits
            if (!has_second) return false;
            got = code_of(a->lock(second, AccessMode::read_write, 20));
            return got == C::deadlock;
        },
        kPatienceMs);
    (void)s.client(false)->release_locks(first, 0);
    waits.join();
    return got;
}

C lock_wait(Situation& s) {
    auto a = s.client(), b = s.client();
    const auto id = s.region();
    (void)a->lock(id, AccessMode::read_write, 0);
    return code_of(b->lock(id, AccessMode::read_write, 20, kFirstOwner));  // as another thread
}

C quarantine_of_held(Situation& s) {
    auto holder = s.client();
    const auto id = s.region();
    (void)holder->map(id, AccessMode::read_write);
    return code_of(s.client()->quarantine(id));
}

C too_many_references(Situation& s) {
    auto client = s.client();
    const auto id = s.region();
    for (;;)
        if (const auto mapped = client->map(id, AccessMode::read_only); !mapped)
            return mapped.error().code;
}

C write_to_sealed(Situation& s) {
    auto client = s.client();
    const auto id = s.region();
    (void)client->seal(id);
    return code_of(client->map(id, AccessMode::read_write));
}

C inherited_client(Situation& s) {
    auto client = s.client();
    return from_child([&] { return code_of(client->list()); });
}

C lost_registry(Situation& s) {
    auto client = s.client();
    (void)client->allocate(4096);
    s.service.kill();
    QFile::remove(s.runtime("registry"));
    (void)s.service.start();
    return code_of(client->list());
}

C without_plugins(Situation& s) {
    auto environment = s.service.host().environment("other");
    environment.insert("SNAKEPIT_SHM_PLUGIN_DIR", "/nowhere");
    Peer serve(QString::fromStdString(companion_program("snakepit-shm")), {"--json", "serve"},
               environment);
    return parsed(serve.wait().error()["code"].toString());
}

C audit_without_database(Situation& s) {
    auto client = s.client();
    RegionOptions audited;
    audited.audit_access = true;
    const auto id = *client->allocate(4096, audited);
    sqlite3* other = nullptr;
    sqlite3_open(s.state("events.db").toUtf8().constData(), &other);
    (void)QTest::qWaitFor(
        [&] {
            return sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_OK;
        },
        kPatienceMs);
    auto reader = s.client();
    C got = kNone;
    (void)QTest::qWaitFor(
        [&] {  // as soon as it has tried to write
            got = code_of(reader->map(id, AccessMode::read_only));
            return got != kNone;
        },
        kPatienceMs);
    sqlite3_close(other);
    return got;
}

C full_memory(Situation& s) {
    const auto path = s.service.host().path("segments").toUtf8();
    if (::mount("tmpfs", path.constData(), "tmpfs", 0, "size=256k") != 0) return kNone;
    C got = kNone;
    if (s.service.start()) got = allocation(s, 1 << 20);
    s.service.stop();
    ::umount2(path.constData(), MNT_DETACH);
    return got;
}

C nobodys_address(Situation& s) {
    (void)s.waits_for(EventKind::telemetry_failed);
    const auto events = s.service.cli_json({"events", "--kind", "telemetry_failed"})["events"];
    return parsed(events[0]["result"].toString());
}

C stranger(const Situation& s, const std::function<C()>& work) {
    return static_cast<C>(s.as_stranger([&] { return static_cast<int>(work()); }));
}

C too_many_clients(Situation& s) {
    return stranger(s, [&] {
        raise_descriptor_limit();
        std::vector<std::unique_ptr<ManagerClient>> clients;
        for (;;) {
            auto client = ManagerClient::connect({.timeout_ms = kPatienceMs});
            if (!client) return client.error().code;
            clients.push_back(std::move(*client));
        }
    });
}

C wrong_rule(Situation& s) {
    Situation::write(s.service.host().path("rule.json"), R"({"name":"x","metric":"no such"})");
    return from_cli(s, {"alerts", "rules", "set", s.service.host().path("rule.json")});
}

struct Way {
    C code;
    std::function<C(Situation&)> get;
    QString configuration = {};
    bool root = false;
    bool start = true;
};

const std::vector<Way>& ways() {
    RegionOptions sealed_durable;
    sealed_durable.durable = true;
    sealed_durable.security_level = SecurityLevel::high;
    const QString telemetry =
        "telemetry_enabled = true\n[shared_memory.telemetry]\nlisten = \"192.0.2.1:9847\"\n"
        "allow_remote = true\n";
    using S = Situation;
    static const std::vector<Way> all{
        {C::allocation_failed, [](S& s) { return allocation(s); }, "enabled = false"},
        {C::mapping_failed, mapping_of_removed_memory},
        {C::permission_denied,
         [](S& s) {
             const auto id = s.region();
             return stranger(s,
                             [&] { return code_of(s.client()->map(id, AccessMode::read_only)); });
         },
         S::kOpenToAll, true},
        {C::region_not_found, [](S& s) { return code_of(s.client()->info(RegionId::generate())); }},
        {C::memory_limit_exceeded, [](S& s) { return allocation(s, 600 << 10, 2); },
         "max_total_memory = \"1MiB\"\nmax_region_size = \"1MiB\""},
        {C::platform_error,
         [](S& s) {
             QDir(s.service.host().path("segments")).removeRecursively();
             return from_cli(s, {"serve"});
         },
         {},
         false,
         false},
        {C::security_violation, [](S& s) { return deallocation(s, false); }},
        {C::corruption_detected, mapping_of_cut_memory},
        {C::cleanup_failed, [](S& s) { return deallocation(s, true); }},
        {C::timeout, lock_wait},
        {C::deadlock, deadlock},
        {C::not_held, [](S& s) { return code_of(s.client()->unlock(s.region(), 1)); }},
        {C::no_manager, [](S& s) { return from_cli(s, {"status"}); }, {}, false, false},
        {C::invalid_argument, [](S& s) { return code_of(s.client()->restore(s.region())); }},
        {C::invalid_size, [](S& s) { return allocation(s, 0); }},
        {C::invalid_region_id,
         [](S& s) {
             return from_cli(s, {"info", "shm_nonsense"});
         }},
        {C::size_exceeds_limit, [](S& s) { return allocation(s, 1ULL << 45); }},
        {C::region_limit_exceeded, [](S& s) { return allocation(s, 4096, 3); },
         "max_regions = 2\nmax_regions_per_process = 2"},
        {C::process_region_limit_exceeded, [](S& s) { return allocation(s, 4096, 3); },
         "max_regions_per_process = 2"},
        {C::no_space, full_memory, {}, true, false},
        {C::region_in_use, quarantine_of_held},
        {C::reference_limit, too_many_references},
        {C::read_only, write_to_sealed},
        {C::identity_mismatch, [](S& s) { return raw(s, greeting(kProtocolVersion), true); }},
        {C::forked, inherited_client},
        {C::protocol_error, [](S& s) { return raw(s, greeting(kProtocolVersion)); }},
        {C::version_mismatch, [](S& s) { return raw(s, greeting(kProtocolVersion + 1)); }},
        {C::client_limit_exceeded, too_many_clients, S::kOpenToAll, true},
        {C::instance_in_use, [](S& s) { return from_cli(s, {"serve"}); }},
        {C::plugin_load_failed, without_plugins},
        {C::configuration_invalid,
         [](S& s) {
             return from_cli(s, {"config", "check"});
         },
         "max_regions = \"many\"", false, false},
        {C::database_unavailable, [](S& s) { return from_cli(s, {"events"}); }, {}, false, false},
        {C::registry_lost, lost_registry},
        {C::not_supported, [=](S& s) { return allocation(s, 4096, 1, sealed_durable); }},
        {C::user_limit_exceeded, [](S& s) { return allocation(s, 4096, 3); },
         "max_regions_per_user = 2"},
        {C::audit_unavailable, audit_without_database},
        {C::policy_invalid,
         [](S& s) { return code_of(s.client()->set_policy(s.region(), "{\"nonsense\":1}")); }},
        {C::encryption_required,
         [](S& s) {
             return code_of(s.client()->set_policy(s.region(), "{\"require_encryption\":true}"));
         }},
        {C::name_in_use,
         [](S& s) {
             RegionOptions options;
             options.name = "taken";
             const auto client = s.client();
             (void)client->allocate(4096, options);
             return code_of(client->allocate(4096, options));
         }},
        {C::not_cached,
         [](S& s) { return code_of(s.client()->map_cached(s.region(), AccessMode::read_only)); }},
        {C::alert_rule_invalid, wrong_rule},
        {C::telemetry_unavailable, nobodys_address, telemetry},
    };
    return all;
}

// Only the C interface gives them: programs of several threads that close their client, and those
// that wait for events or take part in rings. Its own tests get them.
bool is_of_another_test(C code) {
    return code == C::client_closed || code == C::no_event || code == C::producer_gone ||
           code == C::ring_closed;
}

}  // namespace

class EveryError : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void each_code_can_be_got_data();
    void each_code_can_be_got();
};

void EveryError::each_code_can_be_got_data() {
    QTest::addColumn<int>("code");
#define X(name, type, number) QTest::newRow(#name) << number;
    SNAKEPIT_SHM_ERROR_CODES(X)
#undef X
}

void EveryError::each_code_can_be_got() {
    QFETCH(int, code);
    const auto wanted = static_cast<C>(code);
    if (is_of_another_test(wanted)) return;
    const auto& all = ways();
    const auto way =
        std::find_if(all.begin(), all.end(), [&](const Way& w) { return w.code == wanted; });
    QVERIFY2(way != all.end(), "nothing here brings this code about");
    if (way->root && ::geteuid() != 0) QSKIP("needs root: another user, or a mount");
    Situation situation(way->configuration, way->start);
    QCOMPARE(to_string(way->get(situation)).data(), to_string(wanted).data());
}

QTEST_GUILESS_MAIN(EveryError)
#include "tst_every_error.moc"
