// SPDX-License-Identifier: MIT
// Many programs allocate and free for long: fragmentation is said and mended, and at the end
// everything is as it was at the start.
#include <QElapsedTimer>
#include <QJsonDocument>
#include <QtTest>

#include <algorithm>
#include <map>
#include <random>
#include <unordered_set>

#include "churner.h"
#include "client/manager_client.h"
#include "events/event_reader.h"
#include "process_use.h"
#include "service_fixture.h"

using namespace snakepit::shm;
using test::Peer;
using test::Service;

namespace {

constexpr int kChurners = 8;
constexpr unsigned kAtOnce = 250;  // allocations of one churner between two looks
constexpr int kSettlers = 100;
constexpr std::uint64_t kSettlerBytes = 96 << 10;
// Two of the smallest arenas, nearly full: half of it fits one.
constexpr int kBlocks = 160;
constexpr std::uint64_t kBlockBytes = 768 << 10;
constexpr int kRoundsPerDefragmentation = 5;

// A heap that was large keeps some of its pages; the manager's may not grow with what it has done.
constexpr long kOwnKibMore = 6 << 10;
constexpr long kChurnerKibMore = 1 << 10;

unsigned number_from(const char* name, unsigned otherwise) {
    bool ok = false;
    const auto value = qEnvironmentVariable(name).toUInt(&ok);
    return ok ? value : otherwise;
}

std::byte mark_of(const RegionId& id) {
    return static_cast<std::byte>(id.random | 1U);
}

}  // namespace

class Churn : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase();
    void churners_see_only_zeros_and_their_own_bytes_while_regions_are_moved();
    void fragmentation_is_reported_and_mended();
    void everything_is_back_to_the_start();
    void every_event_is_recorded();

  private:
    void warm_up();
    void add_churner();
    std::vector<RegionId> settle(int count, std::uint64_t bytes);
    void let_go(const std::vector<RegionId>& regions);
    bool untouched(const std::vector<RegionId>& regions);
    QJsonObject report(const char* topic, const char* part) {
        const auto text = admin_->report(topic);
        const auto all = QJsonDocument::fromJson(QByteArray::fromStdString(text.value_or("")));
        return part ? all[part].toObject() : all.object();
    }
    QJsonObject arenas() { return report("arenas", "total"); }
    void wait_for_no_arena() {
        QTRY_COMPARE_WITH_TIMEOUT(arenas()["arenas"].toInt(-1), 0, test::kPatienceMs);
    }
    void churn(unsigned allocations);
    void check_churner(const QString& line, std::size_t index);
    void look(int round);
    ProcessUse manager() const { return ProcessUse::of(static_cast<pid_t>(service_->pid())); }

    std::unique_ptr<Service> service_;
    std::unique_ptr<ManagerClient> admin_;
    std::vector<std::unique_ptr<Peer>> churners_;
    std::vector<ProcessUse> churners_at_start_;
    ProcessUse at_start_;
    unsigned seed_ = 0;
    std::uint64_t allocations_ = 0;
    double most_fragmented_ = 0;
    std::uint64_t moved_ = 0;
};

void Churn::initTestCase() {
    seed_ = number_from("SNAKEPIT_CRASH_SEED", std::random_device{}());
    qInfo("seed %u", seed_);
    service_ = std::make_unique<Service>();
    // Moves regions only when it is told to, so that what the test sees is what the test did. The
    // history of the host opens its files after a minute: they would be new at the end.
    service_->host().configure(
        "grace_period = \"200ms\"\ncleanup_interval = \"500ms\"\nmax_regions = 5000\n"
        "max_regions_per_process = 1000\nenable_defragmentation = false\n"
        "host_history_interval = 0\n");
    QVERIFY(service_->start());
    service_->host().use_in_this_process(service_->instance());
    auto admin = ManagerClient::connect({.timeout_ms = test::kPatienceMs, .lease = false});
    QVERIFY2(admin.has_value(), admin ? "" : admin.error().sentence().c_str());
    admin_ = std::move(*admin);
    warm_up();
    at_start_ = manager();
}

// Everything the manager keeps once it has it, such as its thread for long work, and the files that
// its recorders open on threads of their own: on a busy machine that is not before it serves.
void Churn::warm_up() {
    QTRY_VERIFY_WITH_TIMEOUT(report("status", "metrics")["writable"].toBool(), test::kPatienceMs);
    QTRY_COMPARE_WITH_TIMEOUT(report("status", "recorder")["lag"].toInt(-1), 0, test::kPatienceMs);
    auto first = settle(2, 8 << 20);
    QVERIFY(!QTest::currentTestFailed());
    let_go(first);
    allocations_ += first.size();
    wait_for_no_arena();
}

void Churn::add_churner() {
    const auto seed = seed_ + unsigned(churners_.size());
    auto peer = std::make_unique<Peer>(QCoreApplication::applicationFilePath(),
                                       QStringList{"churner", QString::number(seed)},
                                       service_->host().environment(service_->instance()));
    QCOMPARE(peer->line(), QString("ready"));
    churners_.push_back(std::move(peer));
}

// Regions of the user that nobody holds, each full of its own mark.
std::vector<RegionId> Churn::settle(int count, std::uint64_t bytes) {
    std::vector<RegionId> out;
    auto client = ManagerClient::connect({.timeout_ms = test::kPatienceMs});
    RegionOptions options;
    options.owned_by_user = true;
    options.cleanup_policy = CleanupPolicy::manual;
    for (int i = 0; i < count; ++i) {
        const auto id = (*client)->allocate(bytes, options);
        const auto mapping = id ? (*client)->map(*id, AccessMode::read_write)
                                : Result<MappedRegion>(fail(id.error()));
        if (!mapping) {
            QTest::qFail(mapping.error().sentence().c_str(), __FILE__, __LINE__);
            return out;
        }
        std::fill_n(mapping->data, mapping->size, mark_of(*id));
        (void)(*client)->unmap(*mapping);
        out.push_back(*id);
    }
    client->reset();
    [&] { QTRY_COMPARE_WITH_TIMEOUT(admin_->list("refs>0")->size(), 0U, test::kPatienceMs); }();
    return out;
}

void Churn::let_go(const std::vector<RegionId>& regions) {
    for (const auto& id : regions) {
        const auto gone = admin_->deallocate(id);
        QVERIFY2(gone.has_value(), gone ? "" : gone.error().sentence().c_str());
    }
}

bool Churn::untouched(const std::vector<RegionId>& regions) {
    auto client = ManagerClient::connect({.timeout_ms = test::kPatienceMs});
    return std::all_of(regions.begin(), regions.end(), [&](const RegionId& id) {
        const auto mapping = (*client)->map(id, AccessMode::read_only);
        return mapping && std::all_of(mapping->data, mapping->data + mapping->size,
                                      [&](std::byte b) { return b == mark_of(id); });
    });
}

// ------------------------------------------------------------------ the churn

void Churn::churners_see_only_zeros_and_their_own_bytes_while_regions_are_moved() {
    for (int i = 0; i < kChurners; ++i) add_churner();
    // Settlers have free places among them, so that there is always somewhere better to be.
    auto all = settle(2 * kSettlers, kSettlerBytes);
    std::vector<RegionId> settlers, gaps;
    for (std::size_t i = 0; i < all.size(); ++i) (i % 2 ? settlers : gaps).push_back(all[i]);
    let_go(gaps);
    allocations_ += all.size();
    QString words = "settlers";
    for (const auto& id : settlers) words += ' ' + QString::fromStdString(id.str());
    for (auto& churner : churners_) QCOMPARE(churner->ask(words), QString("ok"));

    const auto wanted = number_from("SNAKEPIT_CHURN_ALLOCATIONS", 40'000);
    QElapsedTimer timer;
    timer.start();
    churn(wanted);
    QVERIFY(!QTest::currentTestFailed());
    qInfo("%u allocations and frees in %.1f s: %.0f a second; most fragmented %.1f %%, %llu moved",
          wanted, double(timer.elapsed()) / 1000, 1000.0 * wanted / double(timer.elapsed()),
          most_fragmented_ * 100, static_cast<unsigned long long>(moved_));
    QVERIFY(most_fragmented_ > 0.1);
    QVERIFY(moved_ > 0);
    QVERIFY(untouched(settlers));
    let_go(settlers);
}

void Churn::churn(unsigned allocations) {
    const auto rounds = (allocations + kAtOnce * kChurners - 1) / (kAtOnce * kChurners);
    for (unsigned round = 0; round < rounds; ++round) {
        for (auto& churner : churners_) churner->say(QString("work %1").arg(kAtOnce));
        look(static_cast<int>(round));
        for (std::size_t i = 0; i < churners_.size(); ++i) check_churner(churners_[i]->line(), i);
        if (QTest::currentTestFailed()) return;
        allocations_ += kAtOnce * kChurners;
    }
    for (std::size_t i = 0; i < churners_.size(); ++i) check_churner(churners_[i]->ask("empty"), i);
    for (auto& churner : churners_) {
        const auto ended = churner->wait();
        QVERIFY2(ended.status == 0, qPrintable(ended.err));
    }
    churners_.clear();
}

// While they work.
void Churn::look(int round) {
    const auto total = arenas();
    const auto used = total["used"].toInteger(), size = total["size"].toInteger();
    QVERIFY(!total.isEmpty() && used <= size && total["largest_free"].toInteger() <= size);
    QVERIFY(total["holes"].toInteger() + used <= size);
    most_fragmented_ = std::max(most_fragmented_, total["fragmentation"].toDouble());
    if (round % kRoundsPerDefragmentation != 0) return;
    const auto done = admin_->defragment();
    QVERIFY2(done.has_value(), done ? "" : done.error().sentence().c_str());
    moved_ += done->moved;
}

// What one churner uses does not grow with what it has done: the first rounds fill its hands.
void Churn::check_churner(const QString& line, std::size_t index) {
    const auto words = line.split(' ');
    if (words.size() != 4 || words[0] != "did") {
        const auto ended = churners_[index]->wait();
        QFAIL(qPrintable(QString("churner %1: '%2', %3").arg(index).arg(line, ended.err)));
    }
    const ProcessUse use{.descriptors = words[1].toInt(),
                         .mappings = words[2].toInt(),
                         .own_kib = words[3].toLong()};
    if (churners_at_start_.size() <= index) return churners_at_start_.push_back(use);
    const auto& start = churners_at_start_[index];
    QVERIFY2(use.descriptors <= start.descriptors, qPrintable(line));
    // Arenas it keeps mapped, and segments of its own it holds or has just given back.
    QVERIFY2(use.mappings <= start.mappings + 40, qPrintable(line));
    QVERIFY2(use.own_kib <= start.own_kib + kChurnerKibMore, qPrintable(line));
}

// -------------------------------------------------------------- fragmentation

void Churn::fragmentation_is_reported_and_mended() {
    wait_for_no_arena();
    const auto all = settle(kBlocks, kBlockBytes);
    allocations_ += all.size();
    QVERIFY(arenas()["arenas"].toInt() >= 2);
    // Pages that are reserved ahead at that moment count as used.
    QTRY_VERIFY_WITH_TIMEOUT(arenas()["fragmentation"].toDouble() < 0.1, test::kPatienceMs);
    std::vector<RegionId> kept, gone;
    for (std::size_t i = 0; i < all.size(); ++i) (i % 2 ? kept : gone).push_back(all[i]);
    let_go(gone);
    // What is being zeroed counts as used for that moment.
    QTRY_COMPARE_WITH_TIMEOUT(arenas()["dirty"].toInteger(), 0, test::kPatienceMs);
    const auto holed = arenas();
    QVERIFY(holed["fragmentation"].toDouble() > 0.4);
    QVERIFY(holed["holes"].toInteger() >= static_cast<qint64>((gone.size() - 2) * kBlockBytes));

    std::uint64_t moved = 0;
    QString seen;
    // A pass goes round pages that are being cleaned or reserved at that moment; the next one, as
    // the manager does by itself, does not.
    const auto mended = [&] {
        const auto done = admin_->defragment();
        const auto left = arenas();
        if (!done) qWarning("%s", done.error().sentence().c_str());
        if (done) moved += done->moved;
        if (done)
            seen = QString("%1 moved, %2 in use, %3 arenas, fragmentation %4")
                       .arg(done->moved)
                       .arg(done->in_use)
                       .arg(left["arenas"].toInt())
                       .arg(left["fragmentation"].toDouble());
        return done && done->in_use == 0 && left["arenas"].toInt() < holed["arenas"].toInt() &&
               left["fragmentation"].toDouble() < holed["fragmentation"].toDouble() / 5;
    };
    QVERIFY2(QTest::qWaitFor(mended, test::kPatienceMs), qPrintable(seen));
    qInfo("fragmentation %.1f %% -> %.1f %%, %d -> %d arenas, %llu moved",
          holed["fragmentation"].toDouble() * 100, arenas()["fragmentation"].toDouble() * 100,
          holed["arenas"].toInt(), arenas()["arenas"].toInt(),
          static_cast<unsigned long long>(moved));
    // In the first pass nearly all of them, once each: not to and fro.
    QVERIFY(moved >= kept.size() / 4 && moved <= 2 * kept.size());
    QVERIFY(untouched(kept));
    let_go(kept);
}

// -------------------------------------------------------------------- the end

void Churn::everything_is_back_to_the_start() {
    QTRY_VERIFY_WITH_TIMEOUT(admin_->list()->empty(), test::kPatienceMs);
    wait_for_no_arena();
    QTRY_VERIFY_WITH_TIMEOUT(service_->host().segments().isEmpty(), test::kPatienceMs);
    QTRY_COMPARE_WITH_TIMEOUT(report("status", "recorder")["lag"].toInt(-1), 0, test::kPatienceMs);
    const auto status = report("status", nullptr);
    QCOMPARE(status["regions"].toInt(-1), 0);
    QCOMPARE(status["references"].toInt(-1), 0);
    QCOMPARE(status["bytes_used"].toInteger(-1), 0);
    QCOMPARE(status["bytes_reserved"].toInteger(-1), 0);
    QTRY_COMPARE_WITH_TIMEOUT(report("clients", nullptr)["total"].toInt(-1), 0, test::kPatienceMs);
    // What begins now and then is open for a moment: once as at the start is enough.
    auto use = manager();
    const auto as_at_the_start = [&] {
        use = manager();
        return use.descriptors == at_start_.descriptors && use.threads == at_start_.threads &&
               use.mappings == at_start_.mappings;
    };
    const bool back = QTest::qWaitFor(as_at_the_start, test::kPatienceMs);
    qInfo("manager: mappings %d -> %d, own memory %ld -> %ld KiB, shared %ld -> %ld KiB",
          at_start_.mappings, use.mappings, at_start_.own_kib, use.own_kib, at_start_.shared_kib,
          use.shared_kib);
    QVERIFY2(back, qPrintable(QString("%1 descriptors, %2 threads, %3 mappings more")
                                  .arg(use.descriptors - at_start_.descriptors)
                                  .arg(use.threads - at_start_.threads)
                                  .arg(use.mappings - at_start_.mappings)));
    QVERIFY(use.own_kib <= at_start_.own_kib + kOwnKibMore);
}

void Churn::every_event_is_recorded() {
    admin_.reset();
    const auto database = service_->host().state_dir(service_->instance()) + "/events.db";
    QCOMPARE(service_->stop(), 0);
    auto reader = EventReader::open(database.toStdString());
    QVERIFY(reader.has_value());
    std::map<std::uint64_t, std::uint64_t> last;  // by epoch
    std::unordered_set<std::string> live;
    std::uint64_t allocated = 0, freed = 0;
    EventQuery query;
    query.limit = 10'000;
    for (;;) {
        const auto rows = reader->query(query);
        QVERIFY2(rows.has_value(), rows ? "" : rows.error().sentence().c_str());
        if (rows->empty()) break;
        for (const auto& row : *rows) {
            if (row.ring_seq != ++last[row.epoch])
                QFAIL(qPrintable(QString("event %1 follows event %2")
                                     .arg(row.ring_seq)
                                     .arg(last[row.epoch] - 1)));
            if (row.kind == EventKind::allocated) allocated += live.insert(row.region_id).second;
            if (row.kind == EventKind::freed) freed += live.erase(row.region_id);
        }
        query.after_seq = rows->back().seq;
    }
    QCOMPARE(allocated, allocations_);
    QCOMPARE(freed, allocations_);
    QVERIFY(live.empty());
}

int main(int argc, char** argv) {
    if (argc == 3 && QByteArrayView(argv[1]) == "churner")
        return run_churner(QByteArray(argv[2]).toUInt());
    QCoreApplication application(argc, argv);
    Churn test;
    return QTest::qExec(&test, argc, argv);
}

#include "tst_churn.moc"
