// SPDX-License-Identifier: MIT
#include <QJsonArray>
#include <QJsonDocument>
#include <QtTest>
#include <map>
#include <random>
#include <set>

#include "client/manager_client.h"
#include "events/event_reader.h"
#include "holder.h"
#include "service_fixture.h"

using namespace snakepit::shm;
using test::Peer;
using test::Service;

namespace {

constexpr int kHolders = 5;

unsigned number_from(const char* name, unsigned otherwise) {
    bool ok = false;
    const auto value = qEnvironmentVariable(name).toUInt(&ok);
    return ok ? value : otherwise;
}

using Counts = std::map<std::string, std::uint64_t>;  // by region

}  // namespace

class Crash : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase();
    void random_kills_break_no_invariant();
    void cleanupTestCase();

  private:
    void add_holder();
    std::map<qint64, Counts> pause_all();
    void resume_all();
    bool agree(const std::map<qint64, Counts>& held, QString& difference);
    void check_counts(const std::map<qint64, Counts>& held);
    void check_segments();
    void check_events();
    void kill_holder();
    void kill_manager();

    std::unique_ptr<Service> service_;
    std::unique_ptr<ManagerClient> admin_;
    std::vector<std::unique_ptr<Peer>> holders_;
    std::mt19937 random_;
};

void Crash::initTestCase() {
    const auto seed = number_from("SNAKEPIT_CRASH_SEED", std::random_device{}());
    qInfo("seed %u", seed);
    random_.seed(seed);
    service_ = std::make_unique<Service>();
    service_->host().configure(
        "grace_period = \"50ms\"\ncleanup_interval = \"500ms\"\nmax_regions = 200\n");
    QVERIFY(service_->start());
    service_->host().use_in_this_process(service_->instance());
    auto admin = ManagerClient::connect({.timeout_ms = 60'000, .lease = false});
    QVERIFY2(admin.has_value(), admin ? "" : admin.error().sentence().c_str());
    admin_ = std::move(*admin);
    for (int i = 0; i < kHolders; ++i) add_holder();
}

void Crash::add_holder() {
    auto peer = std::make_unique<Peer>(QCoreApplication::applicationFilePath(),
                                       QStringList{"holder", QString::number(random_())},
                                       service_->host().environment(service_->instance()));
    QCOMPARE(peer->line(), QString("ready"));
    holders_.push_back(std::move(peer));
}

std::map<qint64, Counts> Crash::pause_all() {
    std::map<qint64, Counts> held;
    for (auto& holder : holders_) holder->say("?");
    for (auto& holder : holders_) {
        auto& counts = held[holder->pid()];
        for (;;) {
            const auto line = holder->line();
            if (line == "end") break;
            if (line.isNull()) {
                const auto ended = holder->wait();
                qCritical("holder ended with %d: %s", ended.status, qPrintable(ended.err));
                return {};
            }
            const auto words = line.split(' ');
            counts[words[1].toStdString()] = words[2].toULongLong();
        }
    }
    return held;
}

void Crash::resume_all() {
    for (auto& holder : holders_) holder->say("!");
}

// Invariants 1 and 2: what each process holds is exactly what the manager counts for it, every
// region somebody holds is there, and no process that is gone holds anything.
bool Crash::agree(const std::map<qint64, Counts>& held, QString& difference) {
    const auto regions = admin_->list();
    if (!regions) {
        difference = QString::fromStdString(regions.error().sentence());
        return false;
    }
    std::map<qint64, Counts> seen;
    for (const auto& region : *regions)
        for (const auto& reference : region.references)
            if (reference.count > 0) seen[reference.pid][region.id.str()] = reference.count;
    for (const auto& [pid, counts] : held) {
        if (seen[pid] == counts) continue;
        difference = QString("process %1 holds %2 regions, the manager counts %3")
                         .arg(pid)
                         .arg(counts.size())
                         .arg(seen[pid].size());
        return false;
    }
    for (const auto& [pid, counts] : seen) {
        if (counts.empty() || held.contains(pid)) continue;
        difference = QString("process %1 is gone and still counted").arg(pid);
        return false;
    }
    return true;
}

void Crash::check_counts(const std::map<qint64, Counts>& held) {
    QString difference;
    // A second, as promised: the kernel and one sweep of the manager have to pass.
    bool agreed = false;
    QTRY_VERIFY2_WITH_TIMEOUT((agreed = agreed || agree(held, difference)), qPrintable(difference),
                              1000);
}

// Nothing is leaked in the shared-memory directory, and nothing that is listed is missing.
void Crash::check_segments() {
    const auto same = [&] {
        std::set<QString> listed;
        const auto regions = admin_->list();
        if (!regions) return false;
        for (const auto& region : *regions)
            listed.insert(QString::fromStdString(region.platform_handle).mid(1));
        const auto there = service_->host().segments();
        return listed == std::set<QString>(there.begin(), there.end());
    };
    // Two looks that are not one: regions may end in between, so agreeing once is agreeing. Nobody
    // promised how soon.
    bool agreed = false;
    QTRY_VERIFY_WITH_TIMEOUT((agreed = agreed || same()), test::kPatienceMs);
}

// Invariant 4: every number of every epoch once, without holes; every region allocated once and
// freed at most once.
void Crash::check_events() {
    auto reader = EventReader::open(
        (service_->host().state_dir(service_->instance()) + "/events.db").toStdString());
    QVERIFY(reader.has_value());
    std::map<std::uint64_t, std::uint64_t> last;
    std::map<std::string, int> allocated, freed;
    EventQuery query;
    for (;;) {
        const auto rows = reader->query(query);
        QVERIFY2(rows.has_value(), rows ? "" : rows.error().sentence().c_str());
        if (rows->empty()) break;
        for (const auto& row : *rows) {
            if (row.kind == EventKind::database_reopened) continue;
            QCOMPARE(row.ring_seq, ++last[row.epoch]);
            if (row.kind == EventKind::allocated) QCOMPARE(++allocated[row.region_id], 1);
            if (row.kind == EventKind::freed) QCOMPARE(++freed[row.region_id], 1);
        }
        query.after_seq = rows->back().seq;
    }
    for (const auto& [id, count] : freed) QVERIFY2(allocated.contains(id), id.c_str());
    QVERIFY(!allocated.empty());
}

void Crash::kill_holder() {
    const auto victim = random_() % holders_.size();
    const auto ended = holders_[victim]->end(SIGKILL);
    QCOMPARE(ended.status, -SIGKILL);
    holders_.erase(holders_.begin() + static_cast<std::ptrdiff_t>(victim));
}

void Crash::kill_manager() {
    service_->kill();
    // Sometimes again and again, in the middle of what the next one does first.
    for (auto again = random_() % 4; again > 1; --again) {
        Peer next(QCoreApplication::applicationDirPath() + "/snakepit-shm", {"serve"},
                  service_->host().environment(service_->instance()));
        QTest::qWait(static_cast<int>(random_() % 40));
        next.end(SIGKILL);
    }
    QVERIFY(service_->start());
}

void Crash::random_kills_break_no_invariant() {
    const auto kills = number_from("SNAKEPIT_CRASH_KILLS", 400);
    for (unsigned i = 0; i < kills; ++i) {
        QTest::qWait(
            static_cast<int>(random_() % 30));  // a random moment, not a wait for something
        const bool manager = random_() % 3 == 0;
        if (manager)
            kill_manager();
        else
            kill_holder();
        if (QTest::currentTestFailed()) return;
        const auto held = pause_all();
        QCOMPARE(held.size(), holders_.size());
        check_counts(held);
        if (i % 8 == 7) check_segments();
        if (QTest::currentTestFailed()) return;
        resume_all();
        while (holders_.size() < kHolders) add_holder();
    }
}

void Crash::cleanupTestCase() {
    if (QTest::currentTestFailed()) return;
    for (auto& holder : holders_) {
        const auto ended = holder->end(SIGKILL);
        QVERIFY2(ended.status == -SIGKILL, qPrintable(ended.err));
    }
    holders_.clear();
    QTRY_VERIFY_WITH_TIMEOUT(admin_->list().value().empty(), test::kPatienceMs);
    check_segments();
    admin_.reset();
    QCOMPARE(service_->stop(), 0);
    check_events();
}

int main(int argc, char** argv) {
    if (argc == 3 && QByteArrayView(argv[1]) == "holder")
        return run_holder(QByteArray(argv[2]).toUInt());
    QCoreApplication application(argc, argv);
    Crash test;
    return QTest::qExec(&test, argc, argv);
}

#include "tst_crash.moc"
