// SPDX-License-Identifier: MIT
// The manager's own files, spoilt in every way: a clear word, nothing lost that need not be.
#include <QFile>
#include <QJsonArray>
#include <QtTest>

#include "keeper.h"
#include "layout/registry_layout.h"
#include "service_fixture.h"

using namespace snakepit::shm;
using test::Peer;
using test::Service;

class DamagedFiles : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init();
    void a_damaged_header_is_restored_from_its_copy();
    void a_registry_beyond_repair_is_set_aside_and_its_segments_are_told_by_evidence();
    void damaged_counters_are_counted_again();
    void a_damaged_slot_is_isolated_and_the_others_stand();
    void a_removed_segment_is_noticed();
    void a_damaged_grants_file_costs_no_region();
    void an_unreadable_database_stops_nothing();
    void a_broken_configuration_is_refused_with_its_place();

  private:
    QString allocate() const;
    std::unique_ptr<Peer> keeper(const QString& id) const;
    QJsonObject info(const QString& id) const { return service_->cli_json({"info", id}); }
    bool reports(const QString& kind) const;
    void spoil(const QString& file, std::uint64_t offset, int bytes) const;
    QString registry() const {
        return service_->host().runtime_dir(service_->instance()) + "/registry";
    }

    std::unique_ptr<Service> service_;
};

void DamagedFiles::init() {
    service_ = std::make_unique<Service>();
    service_->host().configure("cleanup_interval = \"500ms\"");
    QVERIFY(service_->start());
}

std::unique_ptr<Peer> DamagedFiles::keeper(const QString& id) const {
    return std::make_unique<Peer>(QCoreApplication::applicationFilePath(),
                                  QStringList{"keeper", id},
                                  service_->host().environment(service_->instance()));
}

QString DamagedFiles::allocate() const {
    // A segment each, so that each can be damaged alone.
    const auto answer = service_->cli({"allocate", "64KiB", "--placement", "dedicated", "--json"});
    if (answer.status != 0) qWarning("allocate: %s", qPrintable(answer.err));
    return answer.json().value("id").toString();
}

bool DamagedFiles::reports(const QString& kind) const {
    return !service_->cli_json({"events", "--kind", kind}).value("events").toArray().isEmpty();
}

void DamagedFiles::spoil(const QString& file, std::uint64_t offset, int bytes) const {
    QFile out(file);
    QVERIFY(out.open(QIODevice::ReadWrite));
    QVERIFY(out.seek(static_cast<qint64>(offset)));
    QCOMPARE(out.write(QByteArray(bytes, '\x5a')), bytes);
}

void DamagedFiles::a_damaged_header_is_restored_from_its_copy() {
    const auto id = allocate();
    auto holder = keeper(id);
    QCOMPARE(holder->line(), "ok");
    service_->kill();
    spoil(registry(), 0, 64);
    QVERIFY(service_->start());
    QCOMPARE(info(id).value("reference_count").toInt(), 1);
    QTRY_VERIFY_WITH_TIMEOUT(reports("registry_reset"), test::kPatienceMs);
}

void DamagedFiles::a_registry_beyond_repair_is_set_aside_and_its_segments_are_told_by_evidence() {
    const auto idle = allocate();
    const auto held = allocate();
    auto holder = keeper(held);
    QCOMPARE(holder->line(), "ok");
    service_->kill();
    spoil(registry(), 0, 8192);
    QVERIFY(service_->start());
    QVERIFY(service_->cli_json({"list"}).value("regions").toArray().isEmpty());
    QVERIFY(!QDir(service_->host().runtime_dir(service_->instance()))
                 .entryList({"registry.damaged-*"})
                 .isEmpty());
    QTRY_VERIFY_WITH_TIMEOUT(reports("leftover_kept"), test::kPatienceMs);
    QTRY_VERIFY_WITH_TIMEOUT(reports("leftover_removed"), test::kPatienceMs);
    QCOMPARE(holder->ask("verify"), "good");  // somebody maps it, so it was left alone
    QCOMPARE(service_->host().segments().size(), 1);
    QVERIFY(service_->host().segments().front().contains(held));
    QCOMPARE(holder->ask("map"), "ok");  // the fast path knows nothing of it
    holder->end(SIGKILL);
    QVERIFY(service_->restart_after_kill());
    QTRY_COMPARE_WITH_TIMEOUT(service_->host().segments().size(), 0, test::kPatienceMs);
    QVERIFY(!idle.isEmpty());
}

void DamagedFiles::damaged_counters_are_counted_again() {
    const auto id = allocate();
    QVERIFY(reports("manager_started"));
    service_->kill();
    spoil(registry(), layout::RegistryOffsets::state, 128);
    QVERIFY(service_->start());
    QCOMPARE(info(id).value("state").toString(), "live");
    QVERIFY(!allocate().isEmpty());
}

void DamagedFiles::a_damaged_slot_is_isolated_and_the_others_stand() {
    const auto first = allocate(), second = allocate();
    service_->kill();
    spoil(registry(), layout::RegistryOffsets::slot(0) + offsetof(layout::Slot, body),
          2 * sizeof(layout::SlotBody));
    QVERIFY(service_->start());
    QCOMPARE(info(first).value("state").toString(), "damaged");
    QCOMPARE(info(second).value("state").toString(), "live");
    auto stranger = keeper(first);
    QCOMPARE(stranger->line(), "corruption_detected");
    QCOMPARE(service_->cli({"health"}).status, 5);
    QTRY_VERIFY_WITH_TIMEOUT(reports("damaged"), test::kPatienceMs);
    QCOMPARE(service_->cli({"cleanup", "--all-eligible"}).status, 0);
    QCOMPARE(info(first).value("state").toString(), "damaged");  // nobody has looked at it yet
}

void DamagedFiles::a_removed_segment_is_noticed() {
    const auto id = allocate();
    service_->kill();
    const auto segments = service_->host().segments();
    QCOMPARE(segments.size(), 1);
    QVERIFY(QFile::remove(service_->host().path("segments/" + segments.front())));
    QVERIFY(service_->start());
    QCOMPARE(info(id).value("state").toString(), "damaged");
    QCOMPARE(service_->cli({"deallocate", id}).status, 0);
    QVERIFY(service_->cli_json({"list"}).value("regions").toArray().isEmpty());
}

void DamagedFiles::a_damaged_grants_file_costs_no_region() {
    const auto id = allocate();
    service_->kill();
    spoil(service_->host().runtime_dir(service_->instance()) + "/grants", 0, 32);
    QVERIFY(service_->start());
    QCOMPARE(info(id).value("state").toString(), "live");
}

void DamagedFiles::an_unreadable_database_stops_nothing() {
    const auto id = allocate();
    service_->kill();
    const auto database = service_->host().state_dir(service_->instance()) + "/events.db";
    spoil(database, 0, 4096);
    QFile::remove(database + "-wal");  // which would mend it
    QVERIFY(service_->start());
    QCOMPARE(info(id).value("state").toString(), "live");
    const auto next = allocate();
    QVERIFY(!next.isEmpty());
    QTRY_VERIFY_WITH_TIMEOUT(service_->cli({"events"}).out.contains(next), test::kPatienceMs);
    QVERIFY(!QDir(service_->host().state_dir(service_->instance()))
                 .entryList({"events.db.corrupt-*"})
                 .isEmpty());
}

void DamagedFiles::a_broken_configuration_is_refused_with_its_place() {
    const auto id = allocate();
    service_->host().configure("max_regions = \"many\"");
    const auto reload = service_->cli({"config", "reload", "--json"});
    QCOMPARE(reload.status, 1);
    QVERIFY2(reload.err.contains("config.toml:2:"), qPrintable(reload.err));
    QCOMPARE(info(id).value("state").toString(), "live");
    service_->kill();
    QVERIFY(!service_->start());
    const auto refused = service_->cli({"serve", "--json"});
    QCOMPARE(refused.error().value("code").toString(), "configuration_invalid");
    service_->host().configure("max_regions = 5");
    QVERIFY(service_->start());
    QCOMPARE(info(id).value("state").toString(), "live");
}

int main(int argc, char** argv) {
    if (argc == 3 && QByteArrayView(argv[1]) == "keeper") return run_keeper(argv[2]);
    QCoreApplication application(argc, argv);
    DamagedFiles test;
    return QTest::qExec(&test, argc, argv);
}

#include "tst_damaged_files.moc"
