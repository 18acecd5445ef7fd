// SPDX-License-Identifier: MIT
#include <unistd.h>

#include <QDir>
#include <QElapsedTimer>
#include <QtTest>
#include <random>

#include "administrator.h"
#include "beliefs.h"
#include "client/manager_client.h"
#include "history.h"
#include "holder.h"
#include "kept.h"
#include "marks.h"
#include "observer.h"
#include "service_fixture.h"

using namespace snakepit::shm;
using namespace snakepit::shm::test;

namespace {

constexpr int kHolders = 5;
constexpr std::size_t kLookedInto = 16;  // regions, when their contents are looked at

unsigned number_from(const char* name, unsigned otherwise) {
    bool ok = false;
    const auto value = qEnvironmentVariable(name).toUInt(&ok);
    return ok ? value : otherwise;
}

}  // namespace

class Crash : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase();
    void random_kills_break_no_invariant();
    void cleanupTestCase();

  private:
    std::unique_ptr<ManagerClient> connect(bool lease);
    std::vector<RegionInfo> regions() { return admin_->list().value(); }
    std::vector<RegionLocks> locks() { return admin_->locks().value(); }
    void add_holder();
    Everybody pause_all();
    void resume_all();
    QString difference(const Everybody& all);
    QString placed_wrong();
    void check_agreement(const Everybody& all);
    void check_contents(const Everybody& all);
    void check_places();
    void check_threads();
    void kill_holder();
    void kill_holder_that_waits();
    void kill_manager();
    void kill_keeper();
    void one_kill(unsigned number);

    std::unique_ptr<Service> service_;
    std::unique_ptr<ManagerClient> admin_, reader_;
    std::unique_ptr<Administrator> administrator_;
    std::unique_ptr<Observer> observer_;
    std::vector<std::unique_ptr<Peer>> holders_;
    std::set<std::string> whole_;  // regions that have been seen with all their bytes
    std::mt19937 random_;
    bool finished_ = false;
};

std::unique_ptr<ManagerClient> Crash::connect(bool lease) {
    auto client = ManagerClient::connect({.timeout_ms = 60'000, .lease = lease});
    if (!client) qFatal("%s", client.error().sentence().c_str());
    return std::move(*client);
}

void Crash::initTestCase() {
    const auto seed = number_from("SNAKEPIT_CRASH_SEED", std::random_device{}());
    qInfo("seed %u", seed);
    random_.seed(seed);
    service_ = std::make_unique<Service>();
    service_->host().configure(
        "grace_period = \"50ms\"\ncleanup_interval = \"200ms\"\ndefault_timeout = \"2s\"\n"
        "quarantine = \"200ms\"\nsecure_cleanup = true\nenable_defragmentation = true\n"
        "max_regions = 150\nmax_region_size = \"8MiB\"\nmax_total_memory = \"256MiB\"\n");
    QVERIFY(service_->start());
    service_->host().use_in_this_process(service_->instance());
    admin_ = connect(false);
    reader_ = connect(true);
    administrator_ = std::make_unique<Administrator>(random_(), connect(false));
    auto registry = RegistryReader::open(admin_->paths().registry());
    QVERIFY2(registry.has_value(), registry ? "" : registry.error().sentence().c_str());
    observer_ = std::make_unique<Observer>(std::move(*registry));
    for (int i = 0; i < kHolders; ++i) add_holder();
}

void Crash::add_holder() {
    auto peer = std::make_unique<Peer>(QCoreApplication::applicationFilePath(),
                                       QStringList{"holder", QString::number(random_())},
                                       service_->host().environment(service_->instance()));
    QCOMPARE(peer->line(), QString("ready"));
    holders_.push_back(std::move(peer));
}

// Nothing moves any more but the manager. Empty when a holder is not there to answer.
Everybody Crash::pause_all() {
    Everybody all;
    for (auto& holder : holders_) holder->say("?");
    for (auto& holder : holders_) {
        auto& beliefs = all[holder->pid()];
        for (auto line = holder->line(); line != "end"; line = holder->line()) {
            if (line.isNull()) {
                const auto ended = holder->wait();
                qCritical("holder ended with %d: %s", ended.status, qPrintable(ended.err));
                return {};
            }
            beliefs.take(line);
        }
    }
    administrator_->pause();
    return all;
}

void Crash::resume_all() {
    administrator_->resume();
    for (auto& holder : holders_) holder->say("!");
}

QString Crash::difference(const Everybody& all) {
    const auto locked = admin_->locks();
    if (!locked) return QString::fromStdString(locked.error().sentence());
    const auto regions = admin_->list();
    if (!regions) return QString::fromStdString(regions.error().sentence());
    const auto wrong =
        compare_locks(all, *locked, administrator_->taken_locks(), administrator_->taken_regions());
    return wrong.isEmpty() ? compare_references(all, *regions, *locked, ::getpid()) : wrong;
}

// Invariants 1, 2 and 3: what each process has is exactly what the manager counts for it, every
// region somebody holds is there, and no process that is gone has anything.
void Crash::check_agreement(const Everybody& all) {
    QCOMPARE(all.size(), holders_.size());
    // A second, as promised: the kernel and one sweep of the manager have to pass.
    QString wrong = "not asked";
    const auto agree = [&] { return wrong.isEmpty() || (wrong = difference(all)).isEmpty(); };
    QTRY_VERIFY2_WITH_TIMEOUT(agree(), qPrintable(wrong), 1000);
}

// Invariant 1: no byte of a region changes but by the hands of those who may, whether somebody
// holds it or not, wherever it was moved.
void Crash::check_contents(const Everybody& all) {
    for (const auto& [pid, beliefs] : all) {
        whole_.insert(beliefs.whole.begin(), beliefs.whole.end());
        for (const auto& id : beliefs.zeroed)
            QVERIFY2(administrator_->taken_regions().contains(id), id.c_str());
    }
    for (const auto& id : administrator_->taken_regions()) whole_.erase(id);
    std::vector<RegionInfo> known;
    for (const auto& region : regions())
        if (whole_.contains(region.id.str())) known.push_back(region);
    whole_.clear();
    for (const auto& region : known) whole_.insert(region.id.str());
    std::shuffle(known.begin(), known.end(), random_);
    known.resize(std::min(known.size(), kLookedInto));
    for (const auto& region : known) {
        const auto mapping = reader_->map(region.id, AccessMode::read_only);
        if (!mapping) {
            QVERIFY2(mapping.error().code == ErrorCode::region_not_found,
                     mapping.error().sentence().c_str());
            continue;  // in quarantine, deallocated, or it ended since it was listed
        }
        const bool whole = look_at_marks(mapping->data, mapping->size, region.id) == Marks::whole;
        QVERIFY2(whole, region.id.str().c_str());
        QVERIFY(reader_->unmap(*mapping));
    }
}

// Empty: nothing is leaked where segments and durable regions are kept, nothing that is listed is
// missing, who reads the registry sees what the manager lists, and no two regions share a page.
QString Crash::placed_wrong() {
    const auto regions = admin_->list();
    if (!regions) return QString::fromStdString(regions.error().sentence());
    QSet<QString> listed, there;
    std::map<std::pair<std::string, std::uint64_t>, std::uint64_t> slices;
    std::map<std::string, RegionInfo> seen;
    for (const auto& [slot, info] : observer_->look()) seen.emplace(info.id.str(), info);
    for (const auto& region : *regions) {
        listed.insert(QString::fromStdString(region.platform_handle).section('/', -1));
        // Its description, without which it would not come back; once withdrawn it must not.
        if (region.durable && region.state != RegionState::closing &&
            region.state != RegionState::revoked)
            listed.insert(QString::fromStdString(region.id.str() + ".region"));
        const auto row = seen.find(region.id.str());
        if (row == seen.end() || row->second.state != region.state ||
            row->second.platform_handle != region.platform_handle ||
            row->second.offset != region.offset)
            return QString::fromStdString(region.id.str()) + " is not what readers see";
        if (!region.arena.empty())
            slices[{region.arena, region.offset}] = region.offset + region.actual_size;
    }
    if (seen.size() != regions->size()) return "readers see more than the manager";
    for (auto slice = slices.begin(); slice != slices.end(); ++slice)
        if (const auto next = std::next(slice); next != slices.end() &&
                                                next->first.first == slice->first.first &&
                                                next->first.second < slice->second)
            return QString::fromStdString(next->first.first) + ": two regions share a page";
    const auto anonymous = anonymous_segments(service_->pid());
    if (const auto kept = kept_segments(admin_->paths().keeper_socket()); kept != anonymous)
        return "the keeper and the manager do not hold the same";
    there = anonymous;
    for (const auto& name : service_->host().segments()) there.insert(name);
    for (const auto& name :
         QDir(QString::fromStdString(admin_->paths().durable_dir())).entryList(QDir::Files))
        there.insert(name);
    if (listed == there) return {};
    return QString("listed only: %1; there only: %2")
        .arg(QStringList((listed - there).values()).join(' '),
             QStringList((there - listed).values()).join(' '));
}

void Crash::check_places() {
    // Looks that are not one: regions may end in between, so agreeing once is agreeing. Nobody
    // promised how soon.
    QString wrong = "not asked";
    const auto right = [&] { return wrong.isEmpty() || (wrong = placed_wrong()).isEmpty(); };
    QTRY_VERIFY2_WITH_TIMEOUT(right(), qPrintable(wrong), 10'000);
}

// Invariants 5 and 6, as far as those saw who never stop looking and asking.
void Crash::check_threads() {
    QVERIFY2(administrator_->failure().empty(), administrator_->failure().c_str());
    const auto seen = observer_->failure();
    QVERIFY2(seen.empty(), seen.c_str());
    QVERIFY(service_->running());
}

void Crash::kill_holder() {
    const auto victim = random_() % holders_.size();
    const auto ended = holders_[victim]->end(SIGKILL);
    QVERIFY2(ended.status == -SIGKILL, qPrintable(ended.err));
    holders_.erase(holders_.begin() + static_cast<std::ptrdiff_t>(victim));
}

// One whose locks are known, so that what must become of them is: a region it wrote in is
// inconsistent.
void Crash::kill_holder_that_waits() {
    const auto all = pause_all();
    check_agreement(all);
    if (QTest::currentTestFailed()) return;
    const auto victim =
        std::max_element(holders_.begin(), holders_.end(), [&](const auto& a, const auto& b) {
            return all.at(a->pid()).locks.size() < all.at(b->pid()).locks.size();
        });
    const auto pid = (*victim)->pid();
    std::set<std::string> wrote;
    for (const auto& region : locks())
        for (const auto& holder : region.holders)
            if (holder.pid == pid && holder.mode == AccessMode::read_write)
                wrote.insert(region.id.str());
    QCOMPARE((*victim)->end(SIGKILL).status, -SIGKILL);
    holders_.erase(victim);
    if (random_() % 2 == 0) kill_manager();
    const auto released = [&] {
        for (const auto& region : locks())
            for (const auto& holder : region.holders)
                if (holder.pid == pid) return false;
        return true;
    };
    QTRY_VERIFY_WITH_TIMEOUT(released(), 1000);
    for (const auto& region : regions())
        if (wrote.contains(region.id.str())) QVERIFY2(region.inconsistent, region.id.str().c_str());
    resume_all();
}

void Crash::kill_manager() {
    QCOMPARE(service_->kill(), -SIGKILL);
    // Sometimes again and again, in the middle of what the next one does first.
    for (auto again = random_() % 4; again > 1; --again) {
        Peer next(QCoreApplication::applicationDirPath() + "/snakepit-shm", {"serve"},
                  service_->host().environment(service_->instance()));
        QTest::qWait(static_cast<int>(random_() % 40));
        const auto ended = next.end(SIGKILL);
        QVERIFY2(ended.status == -SIGKILL, qPrintable(ended.err));
    }
    QVERIFY(service_->start());
}

// It alone: until another has everything, nobody but the manager could give it back.
void Crash::kill_keeper() {
    const auto before = keeper_of(*admin_);
    if (before.pid == 0) return;
    QCOMPARE(::kill(before.pid, SIGKILL), 0);
    const auto replaced = [&] {
        const auto after = keeper_of(*admin_);
        return after.kept == after.segments && (after.pid != before.pid || after.segments == 0);
    };
    QTRY_VERIFY_WITH_TIMEOUT(replaced(), kPatienceMs);
}

void Crash::one_kill(unsigned number) {
    QTest::qWait(static_cast<int>(random_() % 30));  // a random moment, not a wait for something
    const auto what = random_() % 13;
    if (what == 12)
        kill_keeper();
    else if (what < 5)
        kill_manager();
    else if (what < 7)
        kill_holder_that_waits();
    else
        kill_holder();
    if (QTest::currentTestFailed()) return;
    const auto all = pause_all();
    check_agreement(all);
    if (!QTest::currentTestFailed()) check_contents(all);
    if (!QTest::currentTestFailed() && number % 8 == 7) check_places();
    if (!QTest::currentTestFailed()) check_threads();
    if (QTest::currentTestFailed()) return;
    resume_all();
    while (holders_.size() < kHolders) add_holder();
}

void Crash::random_kills_break_no_invariant() {
    const auto kills = number_from("SNAKEPIT_CRASH_KILLS", 250);
    const auto seconds = number_from("SNAKEPIT_SOAK_SECONDS", 0);
    QElapsedTimer clock;
    clock.start();
    unsigned done = 0;
    while (seconds > 0 ? clock.elapsed() < qint64{seconds} * 1000 : done < kills) {
        one_kill(done);
        if (QTest::currentTestFailed()) break;
        ++done;
    }
    finished_ = !QTest::currentTestFailed();
    qInfo("%u kills in %lld s", done, clock.elapsed() / 1000);
}

// What is left ends, nothing stays behind, and the whole history is in order (invariant 4).
void Crash::cleanupTestCase() {
    administrator_.reset();
    if (!finished_) return;  // it failed before, and what is left is as that left it
    for (auto& holder : holders_) {
        const auto ended = holder->end(SIGKILL);
        QVERIFY2(ended.status == -SIGKILL, qPrintable(ended.err));
    }
    holders_.clear();
    reader_.reset();
    const auto empty = [&] {
        const auto done = admin_->cleanup({.all_eligible = true, .no_quarantine = true});
        return done && admin_->list().value().empty();
    };
    QTRY_VERIFY_WITH_TIMEOUT(empty(), kPatienceMs);
    check_places();
    observer_.reset();
    const auto events = admin_->paths().events_db();
    admin_.reset();
    QCOMPARE(service_->stop(), 0);
    const auto wrong = check_history(events);
    QVERIFY2(wrong.isEmpty(), qPrintable(wrong));
}

int main(int argc, char** argv) {
    if (argc == 3 && QByteArrayView(argv[1]) == "holder")
        return run_holder(QByteArray(argv[2]).toUInt());
    // Long runs are asked for by name, and not hung.
    qputenv("QTEST_FUNCTION_TIMEOUT", "86400000");
    QCoreApplication application(argc, argv);
    Crash test;
    return QTest::qExec(&test, argc, argv);
}

#include "tst_crash.moc"
