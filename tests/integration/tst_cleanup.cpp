// SPDX-License-Identifier: MIT
// A person cleans up, changes their mind, and finds out what is damaged: by the command line.
#include <QFile>
#include <QJsonArray>
#include <QtTest>

#include "client/manager_client.h"
#include "service_fixture.h"

using namespace snakepit::shm::test;
using snakepit::shm::AccessMode;
using snakepit::shm::ErrorCode;
using snakepit::shm::ManagerClient;
using snakepit::shm::Placement;
using snakepit::shm::RegionId;
using snakepit::shm::RegionOptions;

class Cleanup : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init();
    void cleanup() { service_.reset(); }

    void what_was_cleaned_can_be_restored_while_its_quarantine_lasts();
    void a_quarantine_ends_by_itself();
    void deallocating_can_be_undone_too();
    void what_was_done_with_a_held_region_is_said();
    void a_plan_is_run_as_it_is_and_says_what_changed_meanwhile();
    void what_is_no_plan_is_not_run_data();
    void what_is_no_plan_is_not_run();
    void a_session_is_cleaned_and_others_stay();
    void a_damaged_region_is_named_with_what_failed_and_given_to_nobody();
    void setting_a_key_changes_file_and_manager();
    void setting_nonsense_changes_nothing();

  private:
    // Of the user, idle.
    QString allocate() {
        const auto id = service_->cli_json({"allocate", "64KiB"}).value("id").toString();
        const auto idle = QTest::qWaitFor(
            [&] { return info(id).value("reference_count").toInteger() == 0; }, kPatienceMs);
        return idle ? id : QString();
    }
    QJsonObject info(const QString& id) { return service_->cli_json({"info", id}); }
    QString state(const QString& id) { return info(id).value("state").toString(); }
    QByteArray config() const {
        QFile file(service_->host().config_file());
        return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
    }
    std::unique_ptr<Service> service_;
};

void Cleanup::init() {
    service_ = std::make_unique<Service>();
    service_->host().configure("max_region_size = \"64MiB\" # enough\ngrace_period = \"10m\"");
    QVERIFY(service_->start());
    service_->host().use_in_this_process(service_->instance());
}

void Cleanup::what_was_cleaned_can_be_restored_while_its_quarantine_lasts() {
    const auto id = allocate();
    QVERIFY(info(id).value("quarantined_until").isNull());
    const auto done = service_->cli_json({"cleanup", "--all-eligible"});
    QCOMPARE(done.value("quarantined").toInteger(), 1);
    QCOMPARE(done.value("bytes_freed").toInteger(), 0);
    QCOMPARE(state(id), "quarantined");
    QVERIFY(!info(id).value("quarantined_until").isNull());
    QVERIFY(service_->cli({"list", "state:quarantined"}).out.contains(id));
    QVERIFY(service_->restart_after_kill());
    QCOMPARE(state(id), "quarantined");
    const auto restored = service_->cli_json({"restore", id}).value("restored").toArray();
    QVERIFY(!restored.at(0)["next"].toString().isEmpty());
    QCOMPARE(state(id), "live");
    const auto again = service_->cli({"restore", id, "--json"});
    QCOMPARE(again.status, 1);
    QVERIFY(again.error().value("message").toString().contains("not in quarantine"));
}

void Cleanup::a_quarantine_ends_by_itself() {
    QCOMPARE(service_->cli({"config", "set", "quarantine", "200ms"}).status, 0);
    const auto id = allocate();
    QCOMPARE(service_->cli_json({"cleanup", "--all-eligible"}).value("quarantined").toInteger(), 1);
    const auto events = [&] {
        return service_->cli({"events", "--region", id, "--kind", "freed", "--json"}).out;
    };
    QTRY_VERIFY_WITH_TIMEOUT(events().contains("quarantine"), kPatienceMs);
    QCOMPARE(service_->cli({"restore", id}).status, 1);
}

void Cleanup::deallocating_can_be_undone_too() {
    const auto id = allocate();
    const auto gone = service_->cli_json({"deallocate", id, "--quarantine"});
    QCOMPARE(gone.value("deallocated").toArray().at(0)["quarantined"].toBool(), true);
    QCOMPARE(service_->cli({"restore", id}).status, 0);
    QCOMPARE(state(id), "live");
    QCOMPARE(service_->cli({"deallocate", id, "--quarantine", "--force"}).status, 2);
    auto client = ManagerClient::connect();
    const auto region = RegionId::parse(id.toStdString()).value();
    QVERIFY((*client)->map(region, AccessMode::read_only));
    const auto refused = service_->cli({"deallocate", id, "--quarantine", "--json"});
    QCOMPARE(refused.error().value("code").toString(), "region_in_use");
    QCOMPARE(state(id), "live");
}

void Cleanup::what_was_done_with_a_held_region_is_said() {
    auto client = ManagerClient::connect();
    const auto held = [&] {
        const auto id = allocate();
        (void)(*client)->map(*RegionId::parse(id.toStdString()), AccessMode::read_only);
        return id;
    };
    const auto withdrawn = held(), revoked = held(), free = allocate();
    const auto gently = service_->cli({"deallocate", withdrawn});
    QVERIFY2(gently.out.contains("withdrawn; 1 reference left"), qPrintable(gently.out));
    const auto forced = service_->cli({"deallocate", "--force", revoked});
    QVERIFY2(forced.out.contains("zeroed and revoked; 1 reference left"), qPrintable(forced.out));
    QVERIFY(forced.out.contains("freed with the last reference"));
    QCOMPARE(service_->cli({"deallocate", "--force", free}).out, free + " freed\n");
    const auto again = service_->cli_json({"deallocate", "--force", withdrawn});
    QCOMPARE(again["deallocated"][0]["revoked"].toBool(), true);
}

void Cleanup::a_plan_is_run_as_it_is_and_says_what_changed_meanwhile() {
    const auto goes = allocate(), gone = allocate(), held = allocate();
    const auto plan = service_->cli({"cleanup", "--all-eligible", "--dry-run", "--json"}).out;
    const auto later = allocate();
    QCOMPARE(service_->cli({"deallocate", gone}).status, 0);
    auto client = ManagerClient::connect();
    QVERIFY((*client)->map(RegionId::parse(held.toStdString()).value(), AccessMode::read_only));
    QFile file(service_->host().path("plan.json"));
    QVERIFY(file.open(QIODevice::WriteOnly) && file.write(plan.toUtf8()) > 0);
    file.close();
    const auto done = service_->cli_json({"cleanup", "--plan", file.fileName()});
    QCOMPARE(done.value("planned").toInteger(), 3);
    QCOMPARE(done.value("removed").toInteger(), 1);
    QCOMPARE(done.value("changed_meanwhile").toInteger(), 2);
    QMap<QString, QString> reasons;
    for (const auto& item : done.value("items").toArray())
        reasons[item.toObject().value("id").toString()] =
            item.toObject().value("reason").toString();
    QCOMPARE(reasons.size(), 3);
    QVERIFY(reasons[gone].contains("ended") && reasons[held].contains("in use"));
    QCOMPARE(state(goes), "quarantined");
    QCOMPARE(state(later), "live");
}

void Cleanup::what_is_no_plan_is_not_run_data() {
    QTest::addColumn<QByteArray>("content");
    QTest::newRow("nothing") << QByteArray();
    QTest::newRow("no JSON") << QByteArray("cleanup");
    QTest::newRow("what a cleanup printed") << QByteArray(R"({"dry_run":false,"items":[]})");
    QTest::newRow("no criteria") << QByteArray(R"({"dry_run":true,"items":[],"criteria":{}})");
    QTest::newRow("an id that is none") << QByteArray(
        R"({"dry_run":true,"criteria":{"due":true},"items":[{"id":"x","removed":true}]})");
}

void Cleanup::what_is_no_plan_is_not_run() {
    QFETCH(QByteArray, content);
    QFile file(service_->host().path("plan.json"));
    QVERIFY(file.open(QIODevice::WriteOnly) && file.write(content) >= 0);
    file.close();
    const auto refused = service_->cli({"cleanup", "--plan", file.fileName()});
    QCOMPARE(refused.status, 2);
    QVERIFY(refused.err.contains("plan"));
}

void Cleanup::a_session_is_cleaned_and_others_stay() {
    const auto foreign = allocate();
    QString mine;
    {
        auto client = ManagerClient::connect();
        QVERIFY((*client)->announce("resizer", "images", "tonight").has_value());
        mine = QString::fromStdString((*client)->allocate(4096)->str());
        const auto held = service_->cli_json({"cleanup", "--session", "tonight"});
        QCOMPARE(held.value("removed").toInteger(), 0);
        QCOMPARE(held.value("items").toArray().size(), 1);
    }
    QTRY_COMPARE_WITH_TIMEOUT(state(mine), "orphan", kPatienceMs);
    QVERIFY(service_->cli({"list", "session:tonight", "worker:resizer"}).out.contains(mine));
    const auto done = service_->cli_json({"cleanup", "--session", "tonight"});
    QCOMPARE(done.value("removed").toInteger(), 1);
    QCOMPARE(state(mine), "quarantined");
    QCOMPARE(state(foreign), "live");
}

void Cleanup::a_damaged_region_is_named_with_what_failed_and_given_to_nobody() {
    auto client = ManagerClient::connect();
    RegionOptions options;
    options.placement = Placement::dedicated;
    const auto id = (*client)->allocate(1000, options);
    const auto mapped = (*client)->map(*id, AccessMode::read_write);
    mapped->data[1000] = std::byte{1};  // one behind its end
    const auto health = service_->cli({"health"});
    QCOMPARE(health.status, 5);
    QVERIFY2(health.out.contains(QString::fromStdString(id->str())) &&
                 health.out.contains("past its end") && health.out.contains("deallocate"),
             qPrintable(health.out));
    auto other = ManagerClient::connect();
    const auto refused = (*other)->map(*id, AccessMode::read_only);
    QVERIFY(!refused);
    QCOMPARE(refused.error().code, ErrorCode::corruption_detected);
    const auto stats = service_->cli_json({"stats"});
    QVERIFY(stats.value("error_counts")["corruption_detected"].toInteger() >= 1);
}

void Cleanup::setting_a_key_changes_file_and_manager() {
    QCOMPARE(service_->cli({"allocate", "65MiB"}).status, 1);
    const auto set = service_->cli({"config", "set", "max_region_size", "66MiB"});
    QVERIFY2(set.status == 0 && set.out.contains("takes effect now"), qPrintable(set.err));
    QVERIFY2(config().contains("max_region_size = \"66MiB\" # enough"), config().constData());
    QCOMPARE(service_->cli({"allocate", "65MiB"}).status, 0);
    QVERIFY(service_->cli({"config", "set", "shm_path", "/tmp"}).out.contains("starts next"));
}

void Cleanup::setting_nonsense_changes_nothing() {
    const auto before = config();
    const auto refused = service_->cli({"config", "set", "max_region_size", "huge"});
    QCOMPARE(refused.status, 1);
    QVERIFY2(refused.err.contains(service_->host().config_file() + ":2:19:"),
             qPrintable(refused.err));
    QCOMPARE(service_->cli({"config", "set", "max_regoin_size", "1"}).status, 1);
    QCOMPARE(config(), before);
    QCOMPARE(service_->cli({"allocate", "65MiB"}).status, 1);
}

QTEST_GUILESS_MAIN(Cleanup)
#include "tst_cleanup.moc"
