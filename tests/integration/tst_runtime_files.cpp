// SPDX-License-Identifier: MIT
// Files that a manager has open and never looks at again, removed or replaced while it runs.
#include <QDir>
#include <QDirIterator>
#include <QFile>
#include <QJsonArray>
#include <QtTest>

#include "client/manager_client.h"
#include "keeper.h"
#include "service_fixture.h"

using namespace snakepit::shm;
using test::kPatienceMs;
using test::Service;

class RuntimeFilesTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init();
    void cleanup();
    void a_socket_that_was_removed_is_bound_again();
    void a_socket_that_was_replaced_is_bound_again();
    void a_second_manager_does_not_start_when_the_lock_was_removed();
    void a_lock_that_was_removed_is_taken_again();
    void a_removed_runtime_directory_is_made_again();
    void a_client_whose_page_lost_its_name_holds_what_it_holds();
    void the_description_of_a_durable_region_is_written_again();
    void files_are_as_large_as_what_is_in_use();
    void what_cannot_be_made_again_is_a_health_problem_data();
    void what_cannot_be_made_again_is_a_health_problem();

  private:
    QString runtime(const QString& name) const {
        return service_->host().runtime_dir(service_->instance()) + "/" + name;
    }
    bool serves() const { return service_->cli({"status"}).status == 0; }
    QJsonArray events(const QString& kind) const {
        return service_->cli_json({"events", "--kind", kind})["events"].toArray();
    }

    std::unique_ptr<Service> service_;
};

void RuntimeFilesTest::init() {
    service_ = std::make_unique<Service>();
    service_->host().configure("health_check_interval = \"1s\"");
    QVERIFY(service_->start());
    service_->host().use_in_this_process(service_->instance());
}

void RuntimeFilesTest::cleanup() {
    service_.reset();
}

void RuntimeFilesTest::a_socket_that_was_removed_is_bound_again() {
    auto connected = ManagerClient::connect({.timeout_ms = kPatienceMs});
    QVERIFY(QFile::remove(runtime("control.sock")));
    QTRY_VERIFY_WITH_TIMEOUT(serves(), kPatienceMs);
    QTRY_COMPARE_WITH_TIMEOUT(events("socket_restored").size(), 1, kPatienceMs);
    QVERIFY(events("socket_restored")[0][u"detail"][u"reason"].toString().contains("removed"));
    QVERIFY((*connected)->list().has_value());  // the connections there were stay
}

void RuntimeFilesTest::a_socket_that_was_replaced_is_bound_again() {
    QVERIFY(QFile::remove(runtime("control.sock")));
    QFile other(runtime("control.sock"));
    QVERIFY(other.open(QIODevice::WriteOnly));
    QTRY_VERIFY_WITH_TIMEOUT(serves(), kPatienceMs);
}

void RuntimeFilesTest::a_second_manager_does_not_start_when_the_lock_was_removed() {
    const auto id = service_->cli_json({"allocate", "4096"})["id"].toString();
    QVERIFY(QFile::remove(runtime("service.lock")));
    const auto second = service_->cli({"--json", "serve"});
    QVERIFY(second.status != 0);
    QCOMPARE(second.error()["code"].toString(), QString("instance_in_use"));
    QTRY_VERIFY_WITH_TIMEOUT(serves(), kPatienceMs);
    QCOMPARE(service_->cli_json({"info", id})["state"].toString(), QString("live"));
}

void RuntimeFilesTest::a_lock_that_was_removed_is_taken_again() {
    QVERIFY(QFile::remove(runtime("service.lock")));
    const auto pid = QByteArray::number(service_->pid());
    const auto written = [&] {
        QFile lock(runtime("service.lock"));
        return lock.open(QIODevice::ReadOnly) && lock.readAll().startsWith(pid + "\n");
    };
    QTRY_VERIFY_WITH_TIMEOUT(written(), kPatienceMs);
    const auto second = service_->cli({"serve"});
    QVERIFY(second.status != 0 && second.err.contains(pid));  // and it says who has it
}

void RuntimeFilesTest::a_removed_runtime_directory_is_made_again() {
    QVERIFY(QDir(runtime("")).removeRecursively());
    QTRY_VERIFY_WITH_TIMEOUT(serves(), kPatienceMs);
    // Programs connect, with lease pages, and allocate as before.
    const auto allocated = [] {
        auto client = ManagerClient::connect({.timeout_ms = 1000});
        return client && (*client)->allocate(4096).has_value();
    };
    QTRY_VERIFY_WITH_TIMEOUT(allocated(), kPatienceMs);
    QTRY_VERIFY_WITH_TIMEOUT(!events("health_problem").isEmpty(), kPatienceMs);
}

// Its page is what tells that it lives; the name of the page does not.
void RuntimeFilesTest::a_client_whose_page_lost_its_name_holds_what_it_holds() {
    const auto id = service_
                        ->cli_json({"allocate", "4096", "--placement", "dedicated",
                                    "--cleanup-policy", "reference_counted"})["id"]
                        .toString();
    test::Peer holder(QCoreApplication::applicationFilePath(), {"keeper", id},
                      service_->host().environment(service_->instance()));
    QCOMPARE(holder.line(), "ok");
    QDir leases(runtime("leases"));
    for (const auto& page : leases.entryList(QDir::Files)) QVERIFY(leases.remove(page));
    QCOMPARE(holder.ask("close"), "ok");  // its connection ends, and it lives on
    const auto told = [&, pid = holder.pid()](const QString& kind) {
        for (const auto& event : events(kind))
            if (event[u"pid"].toInteger() == pid) return true;
        return false;
    };
    QTRY_VERIFY_WITH_TIMEOUT(told("client_disconnected") || told("client_gone"), kPatienceMs);
    QVERIFY(!told("client_gone"));
    QCOMPARE(service_->cli_json({"info", id})["reference_count"].toInt(), 1);
    QVERIFY(service_->restart_after_kill());
    QVERIFY(service_->cli_json({"info", id})["reference_count"].toInt() > 0);
    holder.end(SIGKILL);
    QTRY_VERIFY_WITH_TIMEOUT(told("client_gone"), kPatienceMs);
}

void RuntimeFilesTest::the_description_of_a_durable_region_is_written_again() {
    QVERIFY(!service_->cli_json({"allocate", "4096", "--durable"})["id"].toString().isEmpty());
    QDir durable(service_->host().state_dir(service_->instance()) + "/durable");
    const auto descriptions = [&] { return durable.entryList({"*.region"}, QDir::Files); };
    QCOMPARE(descriptions().size(), 1);
    QVERIFY(durable.remove(descriptions().first()));
    QTRY_COMPARE_WITH_TIMEOUT(descriptions().size(), 1, kPatienceMs);
}

// Who copies or searches the directory reads every byte, holes as well.
void RuntimeFilesTest::files_are_as_large_as_what_is_in_use() {
    auto connected = ManagerClient::connect({.timeout_ms = kPatienceMs});
    QVERIFY(connected);
    for (int i = 0; i < 100; ++i) QVERIFY((*connected)->allocate(4096).has_value());
    QVERIFY(!service_->cli_json({"allocate", "4096", "--security-level", "high"})["id"]
                 .toString()
                 .isEmpty());
    const auto largest = [](const QString& name) -> qint64 {
        if (name == "registry") return qint64{8} << 20;
        return name == "grants" ? qint64{2} << 20 : qint64{1} << 19;
    };
    int seen = 0;
    QDirIterator files(runtime(""), QDir::Files | QDir::Hidden, QDirIterator::Subdirectories);
    while (files.hasNext()) {
        const QFileInfo file(files.next());
        ++seen;
        QVERIFY2(file.size() <= largest(file.fileName()),
                 qPrintable(file.fileName() + ": " + QString::number(file.size())));
    }
    QVERIFY(seen >= 5);  // registry, grants, locks, seals, a lease page
}

void RuntimeFilesTest::what_cannot_be_made_again_is_a_health_problem_data() {
    QTest::addColumn<QString>("name");
    for (const char* name : {"registry", "grants", "locks", "seals"})
        QTest::newRow(name) << QString(name);
}

void RuntimeFilesTest::what_cannot_be_made_again_is_a_health_problem() {
    QFETCH(QString, name);
    QVERIFY(QFile::rename(runtime(name), runtime(name + ".away")));
    const auto told = [&](const QString& kind) {
        for (const auto& event : events(kind))
            if (event[u"detail"][u"problem"].toString().startsWith(name + " was removed"))
                return true;
        return false;
    };
    QTRY_VERIFY_WITH_TIMEOUT(told("health_problem"), kPatienceMs);
    QTRY_VERIFY_WITH_TIMEOUT(service_->cli({"alerts"}).out.contains("health"), kPatienceMs);
    QVERIFY(QFile::rename(runtime(name + ".away"), runtime(name)));
    QTRY_VERIFY_WITH_TIMEOUT(told("health_mended"), kPatienceMs);
}

int main(int argc, char** argv) {
    if (argc == 3 && QByteArrayView(argv[1]) == "keeper") return run_keeper(argv[2]);
    QCoreApplication application(argc, argv);
    RuntimeFilesTest test;
    return QTest::qExec(&test, argc, argv);
}
#include "tst_runtime_files.moc"
