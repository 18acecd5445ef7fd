// SPDX-License-Identifier: MIT
// What other people do to the files of arenas while a manager runs: it notices, puts nothing new
// there, saves what can be saved, and says what cannot.
#include <QDir>
#include <QFile>
#include <QJsonArray>
#include <QtTest>

#include "client/manager_client.h"
#include "service_fixture.h"

using namespace snakepit::shm;
using test::kPatienceMs;
using test::Peer;
using test::Service;

class ArenaDamage : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init();
    void cleanup();
    void regions_of_an_arena_whose_name_was_removed_move_out();
    void a_held_region_moves_out_when_it_is_given_back();
    void nothing_new_is_put_into_a_damaged_arena();
    void what_was_cut_away_is_damaged_and_never_read_as_zeros();
    void what_lies_before_the_cut_is_saved();
    void a_file_of_somebody_else_under_the_name_is_left_alone();
    void reading_what_was_cut_under_a_mapping_is_an_error();
    void a_manager_starts_with_an_arena_that_was_emptied();
    void a_name_that_comes_back_mends_it();

  private:
    QString allocate(const char* size, const QByteArray& contents);
    QByteArray read(const QString& id) const { return service_->cli({"read", id}).out.toUtf8(); }
    QString state_of(const QString& id) const {
        return service_->cli_json({"info", id})["state"].toString();
    }
    QStringList arenas() const {
        QStringList out;
        for (const auto& name : service_->host().segments())
            if (name.contains("_arena_")) out << service_->host().path("segments/" + name);
        return out;
    }
    bool has_event(const QString& kind) const {
        return !service_->cli_json({"events", "--kind", kind})["events"].toArray().isEmpty();
    }
    QString health() const { return service_->cli({"health"}).out; }
    bool reads_as(const QString& id, const QByteArray& contents) const {
        return read(id).startsWith(contents);
    }

    std::unique_ptr<Service> service_;
};

void ArenaDamage::init() {
    service_ = std::make_unique<Service>();
    // Moves regions for no other reason than the one that is tested.
    service_->host().configure(
        "health_check_interval = \"1s\"\nenable_defragmentation = false\ngrace_period = \"1s\"");
    QVERIFY(service_->start());
    service_->host().use_in_this_process(service_->instance());
}

void ArenaDamage::cleanup() {
    service_.reset();
}

QString ArenaDamage::allocate(const char* size, const QByteArray& contents) {
    const auto id = service_->cli_json({"allocate", size})["id"].toString();
    auto client = ManagerClient::connect({.timeout_ms = kPatienceMs});
    const auto written =
        (*client)->write(*RegionId::parse(id.toStdString()), 0,
                         std::as_bytes(std::span(contents.constData(), size_t(contents.size()))));
    if (!written) qWarning("%s", written.error().sentence().c_str());
    return id;
}

void ArenaDamage::regions_of_an_arena_whose_name_was_removed_move_out() {
    const auto a = allocate("4096", "precious"), b = allocate("100KiB", "too");
    QCOMPARE(arenas().size(), 1);
    QVERIFY(QFile::remove(arenas().first()));
    QTRY_VERIFY_WITH_TIMEOUT(has_event("arena_damaged"), kPatienceMs);
    QTRY_COMPARE_WITH_TIMEOUT(
        service_->cli_json({"events", "--kind", "moved"})["events"].toArray().size(), 2,
        kPatienceMs);
    const auto detail =
        service_->cli_json({"events", "--kind", "arena_damaged"})["events"][0]["detail"].toObject();
    QCOMPARE(detail["regions"].toInt(), 2);
    QCOMPARE(detail["lost"].toInt(-1), 0);
    QVERIFY(detail["reason"].toString().contains("name was removed"));
    QTRY_VERIFY_WITH_TIMEOUT(service_->cli({"alerts"}).out.contains("arena-damaged"), kPatienceMs);
    QVERIFY(service_->restart_after_kill());
    QVERIFY(reads_as(a, "precious") && reads_as(b, "too"));
    QCOMPARE(state_of(a), QString("live"));
    // The damaged arena is given up, and nothing is wrong any more.
    QTRY_VERIFY_WITH_TIMEOUT(service_->cli({"health"}).status == 0, kPatienceMs);
}

void ArenaDamage::a_held_region_moves_out_when_it_is_given_back() {
    const auto id = allocate("4096", "held");
    auto client = ManagerClient::connect({.timeout_ms = kPatienceMs});
    const auto mapping = (*client)->map(*RegionId::parse(id.toStdString()), AccessMode::read_write);
    QVERIFY(mapping.has_value());
    QVERIFY(QFile::remove(arenas().first()));
    QTRY_VERIFY_WITH_TIMEOUT(has_event("arena_damaged"), kPatienceMs);
    QTRY_VERIFY_WITH_TIMEOUT(
        service_->cli_json({"status"})["health"].isUndefined() || has_event("health_problem"),
        kPatienceMs);
    QCOMPARE(state_of(id), QString("live"));
    std::memcpy(mapping->data, "last", 4);
    QVERIFY((*client)->unmap(*mapping));
    QTRY_VERIFY_WITH_TIMEOUT(has_event("moved"), kPatienceMs);
    QVERIFY(service_->restart_after_kill());
    QVERIFY(reads_as(id, "last"));
}

void ArenaDamage::nothing_new_is_put_into_a_damaged_arena() {
    const auto a = allocate("4096", "old");
    QVERIFY(QFile::remove(arenas().first()));
    const auto b = allocate("4096", "new");  // at once: before any check comes due
    QCOMPARE(arenas().size(), 1);            // another one
    service_->kill();
    QVERIFY(service_->start());
    QVERIFY(reads_as(b, "new"));
    Q_UNUSED(a);
}

void ArenaDamage::what_was_cut_away_is_damaged_and_never_read_as_zeros() {
    const auto id = allocate("8192", "precious");
    QVERIFY(QFile::resize(arenas().first(), 0));
    // Before any check, and after allocations that reserve pages in arenas.
    const auto at_once = service_->cli({"--json", "read", id});
    QCOMPARE(at_once.status, 1);
    QCOMPARE(at_once.error()["code"].toString(), QString("corruption_detected"));
    QVERIFY(at_once.out.isEmpty());
    (void)allocate("1MiB", "x");
    (void)allocate("4MiB", "y");
    QTRY_COMPARE_WITH_TIMEOUT(state_of(id), QString("damaged"), kPatienceMs);
    const auto later = service_->cli({"--json", "read", id});
    QCOMPARE(later.error()["code"].toString(), QString("corruption_detected"));
    QVERIFY(!later.error()["message"].toString().contains("Bad address"));
    QTRY_VERIFY_WITH_TIMEOUT(has_event("health_problem"), kPatienceMs);
    QVERIFY(health().contains(id));
    QTRY_VERIFY_WITH_TIMEOUT(service_->cli({"alerts"}).out.contains("arena-damaged"), kPatienceMs);
}

void ArenaDamage::what_lies_before_the_cut_is_saved() {
    const auto first = allocate("4096", "saved"), second = allocate("4096", "lost");
    QVERIFY(QFile::resize(arenas().first(), 4096));
    QTRY_COMPARE_WITH_TIMEOUT(state_of(second), QString("damaged"), kPatienceMs);
    QTRY_VERIFY_WITH_TIMEOUT(has_event("moved"), kPatienceMs);
    QVERIFY(reads_as(first, "saved"));
    QCOMPARE(state_of(first), QString("live"));
    QVERIFY(service_->restart_after_kill());
    QVERIFY(reads_as(first, "saved"));
    QCOMPARE(state_of(second), QString("damaged"));
}

void ArenaDamage::a_file_of_somebody_else_under_the_name_is_left_alone() {
    const auto id = allocate("4096", "mine");
    const auto path = arenas().first();
    QVERIFY(QFile::remove(path));
    QFile other(path);
    QVERIFY(other.open(QIODevice::WriteOnly) && other.write("not ours") == 8);
    other.close();
    QTRY_VERIFY_WITH_TIMEOUT(has_event("moved"), kPatienceMs);
    QVERIFY(reads_as(id, "mine"));
    QTRY_VERIFY_WITH_TIMEOUT(!health().contains("arena "), kPatienceMs);  // it was given up
    QVERIFY(other.open(QIODevice::ReadOnly));
    QCOMPARE(other.readAll(), QByteArray("not ours"));
}

void ArenaDamage::reading_what_was_cut_under_a_mapping_is_an_error() {
    const auto id = *RegionId::parse(allocate("8192", "here").toStdString());
    auto client = ManagerClient::connect({.timeout_ms = kPatienceMs});
    std::array<std::byte, 8192> bytes{};
    QVERIFY((*client)->read(id, 0, bytes));  // mapped now, and granted
    QVERIFY(QFile::resize(arenas().first(), 4096));
    const auto got = (*client)->read(id, 0, bytes);
    QVERIFY(!got);
    QCOMPARE(got.error().code, ErrorCode::corruption_detected);
    const auto put = (*client)->write(id, 0, bytes);
    QVERIFY(!put);
    QCOMPARE(put.error().code, ErrorCode::corruption_detected);
}

void ArenaDamage::a_manager_starts_with_an_arena_that_was_emptied() {
    const auto id = allocate("4096", "gone");
    service_->kill();
    QVERIFY(QFile::resize(arenas().first(), 0));
    QVERIFY(service_->start());
    QCOMPARE(state_of(id), QString("damaged"));
    QVERIFY(reads_as(allocate("4096", "new"), "new"));
}

void ArenaDamage::a_name_that_comes_back_mends_it() {
    const auto id = allocate("4096", "kept");
    auto client = ManagerClient::connect({.timeout_ms = kPatienceMs});
    const auto mapping = (*client)->map(*RegionId::parse(id.toStdString()), AccessMode::read_write);
    QVERIFY(mapping.has_value());  // so that it stays where it is
    const auto path = arenas().first();
    QVERIFY(QFile::rename(path, path + "x"));
    QTRY_VERIFY_WITH_TIMEOUT(has_event("health_problem"), kPatienceMs);
    QVERIFY(QFile::rename(path + "x", path));
    QTRY_VERIFY_WITH_TIMEOUT(has_event("health_mended"), kPatienceMs);
    QCOMPARE(state_of(id), QString("live"));
}

QTEST_GUILESS_MAIN(ArenaDamage)
#include "tst_arena_damage.moc"
