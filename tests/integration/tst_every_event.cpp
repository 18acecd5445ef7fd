// SPDX-License-Identifier: MIT
// Each kind of event there is happens for real: the table of kinds is gone through, and a kind that
// no story below brings about fails the test. A kind that cannot happen has to go.
#include <array>
#include <csignal>
#include <map>
#include <set>
#include <thread>

#include "base/lock_owner.h"
#include "every_fixture.h"
#include "http_tools.h"
#include "keeper.h"

using namespace snakepit::shm;
using namespace snakepit::shm::test;

using Kinds = std::vector<EventKind>;
using K = EventKind;

namespace {

// A program that holds a reference, by its own role of this test.
std::unique_ptr<Peer> holder_of(const Situation& s, const QString& id) {
    auto out =
        std::make_unique<Peer>(QCoreApplication::applicationFilePath(), QStringList{"keeper", id},
                               s.service.host().environment(s.service.instance()));
    if (out->line() != "ok") qWarning("the holder does not hold");
    return out;
}

void lives_and_ends(Situation& s) {
    auto owner = s.client(), other = s.client();
    const auto kept = s.region(), id = *owner->allocate(8192);
    const auto mapping = other->map(id, AccessMode::read_write);
    (void)s.waits_for(K::references);
    (void)owner->deallocate(id);  // withdrawn: the other one holds it
    (void)other->unmap(*mapping);
    (void)s.waits_for(K::freed);
    (void)owner->allocate(1ULL << 45);  // too much
    (void)owner->allocate(4096);        // an orphan when its owner is gone
    owner.reset();
    (void)s.waits_for(K::owner_gone);
    (void)other->quarantine(kept);
    (void)other->restore(kept);
    const auto sealed = s.region();
    const auto held = other->map(sealed, AccessMode::read_write);
    (void)other->seal(sealed);  // when nobody holds it
    (void)other->unmap(*held);
    (void)s.waits_for(K::sealed);
    (void)s.service.cli({"cleanup", "--orphans"});
    (void)s.service.restart_after_kill();
    (void)other->info(kept);  // resumes
    auto closing = holder_of(s, s.allocate());
    (void)closing->ask("close");  // lives on, and its connection does not
    (void)s.waits_for(K::client_disconnected);
    s.service.host().configure("max_regions = \"many\"");
    (void)s.service.cli({"config", "reload"});
    s.service.host().configure({});
    s.service.stop();
    (void)s.service.start();
}

void asks_nobody(Situation& s) {
    const auto client = s.client();
    for (int i = 0; i < 100; ++i) (void)client->deallocate(*client->allocate(4096));
}

void is_protected(Situation& s) {
    auto client = s.client();
    RegionOptions audited, encrypted;
    audited.audit_access = true;
    encrypted.security_level = SecurityLevel::high;
    const auto mapping = client->map(*client->allocate(4096, audited), AccessMode::read_only);
    (void)client->unmap(*mapping);
    (void)client->rotate_key(*client->allocate(4096, encrypted));
    (void)s.service.cli({"policy", "set", s.allocate(), "--permissions", "other=ro"});
    client.reset();
    (void)s.waits_for(K::access_ended);
    s.service.stop();
    Situation::write(s.state("state.db"), QByteArray(4096, 'x'));
    (void)s.service.start();
}

void moves(Situation& s) {
    auto client = s.client(false);
    const auto gone = s.region(), kept = s.region();
    (void)client->deallocate(gone);
    // Into the hole, once the pages that `gone` left are zero.
    (void)QTest::qWaitFor(
        [&] {
            const auto done = client->defragment();
            return done && done->moved > 0;
        },
        kPatienceMs);
    // An arena that is full and then empty, and one with much room behind its only region.
    const auto full = s.region({"12MiB"}), small = s.region({"2MiB"}), large = s.region({"11MiB"});
    (void)client->deallocate(full);
    (void)client->deallocate(large);
    Q_UNUSED(kept);
    Q_UNUSED(small);
}

void locks(Situation& s) {
    auto a = s.client(), b = s.client();
    const auto first = s.region(), second = s.region();
    (void)a->lock(first, AccessMode::read_write, 0);
    (void)b->lock(first, AccessMode::read_write, 20, kFirstOwner);  // timed out
    // One thread, which holds what the other wants, waits for what the other holds.
    std::thread waits([&] {
        (void)b->lock(second, AccessMode::read_write, 0);
        (void)b->lock(first, AccessMode::read_write, kPatienceMs);
    });
    const auto waiting = [&] {
        const auto locked = s.service.cli_json({"locks"})["locks"].toArray();
        return std::any_of(locked.begin(), locked.end(), [](const QJsonValue& region) {
            return region[u"waiter_count"].toInt() == 1;
        });
    };
    (void)QTest::qWaitFor(waiting, kPatienceMs);
    (void)a->lock(second, AccessMode::read_write, 2000);
    (void)s.client(false)->release_locks(first, 0);  // forced
    waits.join();
    b.reset();  // a writer dies in its locks
    (void)s.waits_for(K::lock_broken);
    if (const auto lock = a->lock(second, AccessMode::read_write, kPatienceMs))
        (void)a->unlock(second, lock->token);
}

void is_damaged(Situation& s) {
    const auto pooled = s.allocate(), cut = s.allocate({"64KiB", "--placement", "dedicated"});
    const auto replaced = s.allocate({"64KiB", "--placement", "dedicated"});
    QFile::remove(s.segment("_arena_"));
    QFile::resize(s.segment(cut), 4096);
    const auto path = s.segment(replaced);
    QFile::remove(path);
    Situation::write(path, "somebody else's");
    (void)s.service.cli({"deallocate", replaced});
    (void)s.waits_for(K::cleanup_failed);
    QFile::remove(path);  // health_mended
    QFile::remove(s.runtime("control.sock"));
    (void)s.waits_for(K::socket_restored);
    auto hostile = holder_of(s, pooled);
    for (const auto& page : QDir(s.runtime("leases")).entryInfoList(QDir::Files))
        QFile::resize(page.filePath(), 0);
    (void)s.waits_for(K::client_hostile);
    QFile::remove(s.state("events.db"));
    (void)s.allocate();
    (void)s.waits_for(K::database_reopened);
    (void)s.waits_for(K::health_mended);
}

void starts_anew(Situation& s) {
    (void)s.allocate({"4096", "--durable"});
    (void)s.allocate({"64KiB", "--placement", "dedicated"});
    const auto holder = holder_of(s, s.allocate({"64KiB", "--placement", "dedicated"}));
    s.service.kill();
    Situation::write(s.runtime("registry"), QByteArray(8192, 'Z'));
    (void)s.service.start();
    (void)s.waits_for(K::leftover_kept);
}

void history_is_changed(Situation& s) {
    (void)s.service.cli({"allocate", "4096", "--count", "3000"});
    (void)s.waits_for(K::events_removed);
    s.service.stop();
    (void)s.sql("events.db",
                "DELETE FROM events WHERE seq > (SELECT max(seq) - 9 FROM events); "
                "DELETE FROM checkpoints WHERE seq > (SELECT max(seq) FROM events)");
    (void)s.service.start();
    (void)s.waits_for(K::rows_missing);
    s.service.stop();
    Situation::write(s.state("audit.head"), "junk");
    (void)s.service.start();
}

void alerts_are_raised(Situation& s) {
    QFile rule(s.service.host().path("rule.json"));
    (void)rule.open(QIODevice::WriteOnly);
    rule.write(R"({"name":"any","metric":"regions","comparison":">","threshold":0})");
    rule.close();
    (void)s.service.cli({"alerts", "rules", "set", rule.fileName()});
    const auto id = s.allocate();
    (void)s.waits_for(K::alert_hook_failed);
    const auto alert = s.service.cli_json({"alerts"})["alerts"][0][u"id"].toInt();
    (void)s.service.cli({"alerts", "ack", QString::number(alert)});
    QFile hook(s.service.host().path("hook"));
    (void)hook.open(QIODevice::WriteOnly);
    hook.write("#!/bin/sh\nexec cat >/dev/null\n");
    hook.close();
    hook.setPermissions(QFile::ReadOwner | QFile::WriteOwner | QFile::ExeOwner);
    (void)s.service.cli({"deallocate", id});
    (void)s.waits_for(K::alert_resolved);
    (void)s.allocate();  // told, now that there is somebody to tell
    (void)s.waits_for(K::alert_hook_mended);
    (void)s.service.cli({"alerts", "silence", "--rule", "any", "--for", "1h"});
    (void)s.service.cli({"alerts", "unsilence", "1"});
}

void telemetry_fails(Situation& s) {
    Occupied port;
    s.service.host().configure(QString("telemetry_enabled = true\n[shared_memory.telemetry]\n"
                                       "listen = \"127.0.0.1:%1\"\n")
                                   .arg(port.port()));
    (void)s.service.cli({"config", "reload"});
    (void)s.waits_for(K::telemetry_failed);
    port.release();
}

void memory_is_not_kept(Situation& s) {
    (void)s.allocate({"4096", "--other", "ro"});  // between users: memory without a name
    (void)s.waits_for(K::keeper_found);
    const auto name = s.service.cli_json({"status"})["keeper"][u"name"].toString();
    QFile::remove(s.runtime("keeper.sock"));
    (void)QDir().mkpath(s.runtime("keeper.sock/in the way"));
    if (const auto pid = name.section(' ', 1).toInt(); pid > 1) ::kill(pid, SIGKILL);
}

// More in one turn of the service than the ring holds, while the database is locked: the program
// that owns them all ends.
void floods(Situation& s) {
    constexpr int kRegions = 17'500;  // two events each
    auto owner = s.client();
    for (int i = 0; i < kRegions; ++i)
        if (!owner->allocate(1)) return qWarning("not so many regions");
    sqlite3* raw = nullptr;
    sqlite3_open(s.state("events.db").toUtf8().constData(), &raw);
    (void)QTest::qWaitFor(
        [&] {
            return sqlite3_exec(raw, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_OK;
        },
        kPatienceMs);
    owner.reset();
    (void)QTest::qWaitFor(
        [&] {
            const auto list = s.service.cli_json({"status"});
            return list["regions"].toInt(-1) == 0;
        },
        kPatienceMs);
    sqlite3_exec(raw, "ROLLBACK", nullptr, nullptr, nullptr);
    sqlite3_close(raw);
}

void strangers_come(Situation& s) {
    const auto id = s.region();
    (void)s.as_stranger([&] {
        auto client = s.client();
        for (int i = 0; client && i < 200; ++i) (void)client->map(id, AccessMode::read_only);
        return 0;
    });
}

// By a manager that sees the clock of this test.
void clock_is_set(Situation& s) {
    QTemporaryFile clocks;  // by how much, in microseconds: the wall clock, boot time
    const std::array<std::int64_t, 2> hour{3'600'000'000, 0};
    if (!clocks.open() || !clocks.resize(sizeof hour)) return;
    qputenv("LD_PRELOAD", SNAKEPIT_CLOCK_SHIM);
    qputenv("CLOCK_SHIM", clocks.fileName().toUtf8());
    (void)s.service.restart_after_kill();
    (void)s.waits_for(K::manager_started);
    clocks.write(reinterpret_cast<const char*>(hour.data()), sizeof hour);
    clocks.flush();
    (void)s.waits_for(K::clock_stepped);
    qunsetenv("LD_PRELOAD");
    qunsetenv("CLOCK_SHIM");
}

struct Story {
    const char* name;
    void (*tell)(Situation&);
    Kinds kinds;
    QString configuration = {};
    bool root = false;
};

const std::vector<Story>& stories() {
    static const std::vector<Story> all{
        {"lives and ends",
         lives_and_ends,
         {K::manager_started,
          K::manager_stopped,
          K::client_connected,
          K::client_resumed,
          K::client_disconnected,
          K::client_gone,
          K::allocated,
          K::mapped,
          K::withdrawn,
          K::freed,
          K::quarantined,
          K::restored,
          K::references,
          K::owner_gone,
          K::allocation_failed,
          K::cleanup,
          K::config_loaded,
          K::config_refused,
          K::sealed,
          K::seal_pending,
          K::arena_created}},
        {"is protected",
         is_protected,
         {K::accessed, K::access_ended, K::key_rotated, K::policy_changed, K::policy_unreadable}},
        {"asks nobody", asks_nobody, {K::transient}},
        {"moves",
         moves,
         {K::moved, K::arena_returned, K::memory_returned},
         "arena_size = \"2MiB\"\ngrace_period = \"100ms\"\nenable_defragmentation = false"},
        {"locks",
         locks,
         {K::deadlock, K::lock_broken, K::lock_acknowledged, K::lock_timed_out, K::lock_forced}},
        {"is damaged",
         is_damaged,
         {K::damaged, K::arena_damaged, K::cleanup_failed, K::socket_restored, K::client_hostile,
          K::database_reopened, K::health_problem, K::health_mended},
         "health_check_interval = \"1s\"\ncleanup_interval = \"1s\""},
        {"starts anew",
         starts_anew,
         {K::registry_reset, K::leftover_removed, K::leftover_kept, K::durable_restored}},
        {"history is changed",
         history_is_changed,
         {K::rows_missing, K::audit_broken, K::events_removed},
         "event_retention = \"1s\"\nmax_regions = 5000\nmax_regions_per_process = 5000"},
        {"alerts are raised",
         alerts_are_raised,
         {K::alert_fired, K::alert_resolved, K::alert_acknowledged, K::alert_silenced,
          K::alert_unsilenced, K::alert_rule_changed, K::alert_hook_failed, K::alert_hook_mended},
         "[shared_memory.alerts]\njournal = false\ncommand = [\"@hook\"]"},
        {"the clock is set", clock_is_set, {K::clock_stepped}},
        {"telemetry fails", telemetry_fails, {K::telemetry_failed, K::telemetry_works}},
        {"memory is not kept", memory_is_not_kept, {K::keeper_found, K::not_kept}},
        {"floods",
         floods,
         {K::gap, K::alerts_skipped},
         "max_regions = 20000\nmax_regions_per_process = 20000\ngrace_period = \"0s\""},
        {"strangers come",
         strangers_come,
         {K::refused, K::more_refused},
         Situation::kOpenToAll,
         true},
    };
    return all;
}

}  // namespace

class EveryEvent : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void each_kind_is_in_a_story_data();
    void each_kind_is_in_a_story();
    void each_story_brings_its_kinds_about_data();
    void each_story_brings_its_kinds_about();
};

void EveryEvent::each_kind_is_in_a_story_data() {
    QTest::addColumn<int>("kind");
#define X(name, number) QTest::newRow(#name) << int(K::name);
    SNAKEPIT_SHM_EVENT_KINDS(X)
#undef X
}

void EveryEvent::each_kind_is_in_a_story() {
    QFETCH(int, kind);
    const auto& all = stories();
    QVERIFY(std::any_of(all.begin(), all.end(), [&](const Story& story) {
        return std::count(story.kinds.begin(), story.kinds.end(), static_cast<K>(kind)) == 1;
    }));
}

void EveryEvent::each_story_brings_its_kinds_about_data() {
    QTest::addColumn<int>("story");
    for (std::size_t i = 0; i < stories().size(); ++i) QTest::newRow(stories()[i].name) << int(i);
}

void EveryEvent::each_story_brings_its_kinds_about() {
    QFETCH(int, story);
    const auto& told = stories()[static_cast<std::size_t>(story)];
    if (told.tell == clock_is_set && *SNAKEPIT_SANITIZER)
        QSKIP("a sanitizer's runtime has to be loaded before the clock");
    if (told.root && ::geteuid() != 0) QSKIP("needs root, to be somebody else for a while");
    Situation situation({}, false);
    auto configuration = told.configuration;
    configuration.replace("@hook", situation.service.host().path("hook"));
    situation.service.host().configure(configuration);
    QVERIFY(situation.service.start());
    told.tell(situation);
    for (const auto kind : told.kinds) QVERIFY2(situation.waits_for(kind), to_string(kind).data());
}

int main(int argc, char** argv) {
    if (argc == 3 && QByteArrayView(argv[1]) == "keeper") return run_keeper(argv[2]);
    QCoreApplication application(argc, argv);
    EveryEvent test;
    return QTest::qExec(&test, argc, argv);
}

#include "tst_every_event.moc"
