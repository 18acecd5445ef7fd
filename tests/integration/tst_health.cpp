// SPDX-License-Identifier: MIT
// Everything `health` looks at, spoilt once: it is found, told by its name, and with what repairs
// it.
#include <SQLiteCpp/SQLiteCpp.h>

#include <QDir>
#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QtTest>

#include "client/manager_client.h"
#include "keeper.h"
#include "layout/grants_layout.h"
#include "paused.h"
#include "service_fixture.h"

using namespace snakepit::shm;
using test::kPatienceMs;
using test::Peer;
using test::Service;

class Health;
namespace {
using Plant = std::function<void(Health&)>;
}
Q_DECLARE_METATYPE(Plant)

class Health : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init();
    void cleanup();
    void what_is_wrong_is_found_data();
    void what_is_wrong_is_found();
    void nothing_is_wrong_with_programs_at_work();
    void what_is_wrong_comes_first();
    void a_disk_that_runs_out_is_told_from_outside_and_by_the_manager();
    void a_manager_keeps_what_it_found_and_tells_when_it_is_mended();

  private:
    void add(const char* what, const char* check, const char* status, const char* remedy,
             const Plant& plant);
    void spoilt_registry_rows();
    void spoilt_lease_rows();
    void spoilt_database_rows();
    void spoilt_environment_rows();
    QString runtime(const QString& name) const {
        return service_->host().runtime_dir(service_->instance()) + "/" + name;
    }
    QString state(const QString& name) const {
        return service_->host().state_dir(service_->instance()) + "/" + name;
    }
    QString segment() const {
        return service_->host().path("segments/" + service_->host().segments().front());
    }
    static void overwrite(const QString& path, std::uint64_t offset, const QByteArray& bytes);
    static void make(const QString& path, qint64 size);
    QStringList kinds() const;
    void kill_both();

    std::unique_ptr<Service> service_;
    std::unique_ptr<Peer> holder_;
    QString id_;
};

namespace {

std::uint64_t record(std::size_t member) {
    return layout::GrantsOffsets::records + member;
}

}  // namespace

void Health::init() {
    service_ = std::make_unique<Service>();
    service_->host().configure("health_check_interval = \"1s\"");
    QVERIFY(service_->start());
    id_ = service_->cli_json({"allocate", "64KiB", "--placement", "dedicated"})
              .value("id")
              .toString();
    QVERIFY(!id_.isEmpty());
    holder_ =
        std::make_unique<Peer>(QCoreApplication::applicationFilePath(), QStringList{"keeper", id_},
                               service_->host().environment(service_->instance()));
    QCOMPARE(holder_->line(), "ok");
}

void Health::cleanup() {
    holder_.reset();
    service_.reset();
}

void Health::overwrite(const QString& path, std::uint64_t offset, const QByteArray& bytes) {
    QFile file(path);
    QVERIFY2(file.open(QIODevice::ReadWrite), qPrintable(path));
    QVERIFY(file.seek(static_cast<qint64>(offset)));
    QCOMPARE(file.write(bytes), bytes.size());
}

void Health::make(const QString& path, qint64 size) {
    QFile file(path);
    QVERIFY(file.open(QIODevice::WriteOnly) && file.resize(size));
}

QStringList Health::kinds() const {
    QStringList out;
    const auto events = service_->cli_json({"events"}).value("events").toArray();
    for (const auto& event : events) out += event.toObject().value("kind").toString();
    return out;
}

void Health::kill_both() {
    service_->kill();
    holder_->end(SIGKILL);
}

void Health::add(const char* what, const char* check, const char* status, const char* remedy,
                 const Plant& plant) {
    QTest::newRow(what) << QString(check) << QString(status) << QString(remedy) << plant;
}

void Health::spoilt_registry_rows() {
    add("a segment that others may open", "region_segments", "problem", "chmod 0600",
        [](Health& h) { QFile::setPermissions(h.segment(), QFile::Permissions(0x6666)); });
    add("a segment that was cut", "region_segments", "problem", "deallocate", [](Health& h) {
        h.service_->kill();
        QVERIFY(QFile::resize(h.segment(), 4096));
    });
    add("a segment that is gone", "region_segments", "problem", "deallocate", [](Health& h) {
        h.service_->kill();
        QVERIFY(QFile::remove(h.segment()));
    });
    add("a segment that was exchanged", "region_segments", "problem", "deallocate", [](Health& h) {
        h.service_->kill();
        const auto path = h.segment();
        QVERIFY(QFile::copy(path, path + "x") && QFile::remove(path) &&
                QFile::rename(path + "x", path));
        QFile::setPermissions(path, QFile::ReadOwner | QFile::WriteOwner);
    });
    add("a segment nobody knows, of a running manager", "leftover_segments", "warning", "fuser",
        [](Health& h) {
            make(h.service_->host().path(
                     "segments/snakepit_test_shm_1700000000000000_0123456789abcdef"),
                 4096);
        });
    add("an arena nobody knows", "leftover_segments", "problem", "serve", [](Health& h) {
        h.service_->kill();
        make(h.service_->host().path("segments/snakepit_test_arena_0123456789abcdef"), 4096);
    });
    add("a description that was changed", "region_checksums", "problem", "serve", [](Health& h) {
        h.service_->kill();
        overwrite(h.runtime("registry"),
                  layout::RegistryOffsets::slot(0) + offsetof(layout::Slot, body),
                  QByteArray(176, 'x'));
    });
    add("a registry that is none", "registry", "problem", "manager", [](Health& h) {
        h.service_->kill();
        overwrite(h.runtime("registry"), 0, QByteArray(64, 'x'));
    });
}

void Health::spoilt_lease_rows() {
    add("a program that died with its manager", "leases", "warning", "serve",
        [](Health& h) { h.kill_both(); });
    add("a number that another process has", "leases_of_others", "warning", "fuser", [](Health& h) {
        h.service_->kill();
        overwrite(h.runtime("grants"), record(offsetof(layout::ClientRecord, start_time)),
                  QByteArray(8, '\1'));
    });
    add("a grant for no region", "grants", "warning", "serve", [](Health& h) {
        h.service_->kill();
        overwrite(h.runtime("grants"),
                  layout::GrantsOffsets::block(0) + offsetof(layout::GrantBlock, words) + 4 * 77,
                  QByteArray(4, '\1'));
    });
    add("a program without grants", "client_rows", "warning", "serve", [](Health& h) {
        h.service_->kill();
        overwrite(h.runtime("grants"), record(offsetof(layout::ClientRecord, serial)),
                  QByteArray(8, '\0'));
    });
    add("a lease page of nobody", "lease_pages", "problem", "restart",
        [](Health& h) { make(h.runtime("leases/0123456789abcdef"), 4096); });
    add("grants of another registry", "leases", "warning", "next manager", [](Health& h) {
        h.service_->kill();
        overwrite(h.runtime("grants"), offsetof(layout::EpochHeader, epoch), QByteArray(8, '\1'));
    });
}

void Health::spoilt_database_rows() {
    add("a database that is none", "event_database", "problem", "move the file away",
        [](Health& h) {
            h.service_->kill();
            QFile::remove(h.state("events.db-wal"));
            overwrite(h.state("events.db"), 0, QByteArray(8192, 'x'));
        });
    add("an event that was changed", "audit_chain", "problem", "audit verify", [](Health& h) {
        QTRY_VERIFY_WITH_TIMEOUT(h.kinds().contains("mapped"), kPatienceMs);
        h.service_->stop();
        SQLite::Database(h.state("events.db").toStdString(), SQLite::OPEN_READWRITE)
            .exec("UPDATE events SET pid = pid + 1 WHERE kind = 'allocated'");
    });
    add("a log that only grows", "event_database_log", "warning", "fuser", [](Health& h) {
        h.service_->stop();
        make(h.state("events.db-wal"), 65 << 20);
    });
    add("a state database that is none", "state_database", "problem", "move the file away",
        [](Health& h) {
            h.service_->kill();
            for (const auto* end : {"-wal", "-shm"}) QFile::remove(h.state("state.db") + end);
            overwrite(h.state("state.db"), 0, QByteArray(4096, 'x'));
        });
    add("a metrics database that is none", "metrics_database", "problem", "move the file away",
        [](Health& h) {
            h.service_->kill();  // it would set the file aside
            for (const auto* end : {"-wal", "-shm"}) QFile::remove(h.state("metrics.db") + end);
            make(h.state("metrics.db"), 0);
            overwrite(h.state("metrics.db"), 0, QByteArray(4096, 'x'));
        });
    add("a key that others may read", "instance_key", "problem", "chmod 0600", [](Health& h) {
        QFile::setPermissions(h.state("instance.key"), QFile::Permissions(0x6644));
    });
    add("a key that is gone", "instance_key", "warning", "copy",
        [](Health& h) { QVERIFY(QFile::remove(h.state("instance.key"))); });
}

void Health::spoilt_environment_rows() {
    add("a configuration that is none", "configuration", "problem", "",
        [](Health& h) { h.service_->host().configure("max_regions = maybe"); });
    add("limits that do not go together", "configured_limits", "warning", "config set",
        [](Health& h) { h.service_->host().configure("max_regions_per_user = 5000"); });
    add("a limit above what the file system has", "configured_limits", "warning", "config set",
        [](Health& h) {
            h.service_->host().configure(
                "max_region_size = \"1000000GiB\"\nmax_total_memory = \"1000000GiB\"");
        });
    add("a directory that others may write", "runtime_directory", "problem", "chmod 0700",
        [](Health& h) { QFile::setPermissions(h.runtime(""), QFile::Permissions(0x7777)); });
    add("a manager that was stopped", "manager", "problem", "",
        [](Health& h) { QVERIFY(test::pause_process(h.service_->pid())); });
}

void Health::what_is_wrong_is_found_data() {
    QTest::addColumn<QString>("check");
    QTest::addColumn<QString>("status");
    QTest::addColumn<QString>("remedy");
    QTest::addColumn<Plant>("plant");
    spoilt_registry_rows();
    spoilt_lease_rows();
    spoilt_database_rows();
    spoilt_environment_rows();
}

void Health::what_is_wrong_is_found() {
    QFETCH(QString, check);
    QFETCH(QString, status);
    QFETCH(QString, remedy);
    QFETCH(Plant, plant);
    const auto look = [&] {
        const auto found = service_->cli({"health", "--json"});
        QStringList said;
        for (const auto& value : found.json().value("checks").toArray())
            if (value.toObject().value("name").toString() == check) {
                said += value.toObject().value("status").toString();
                said += value.toObject().value("remedy").toString();
            }
        return std::pair(found, said);
    };
    const auto before = look();
    QVERIFY2(!before.second.contains(status), qPrintable(before.first.out));
    plant(*this);
    if (QTest::currentTestFailed()) return;
    const auto [found, said] = look();
    QVERIFY2(said.contains(status), qPrintable(found.out));
    QVERIFY2(said.join('|').contains(remedy), qPrintable(found.out));
    if (status == "problem") QCOMPARE(found.status, 5);
    if (service_->running()) ::kill(static_cast<pid_t>(service_->pid()), SIGCONT);
}

void Health::nothing_is_wrong_with_programs_at_work() {
    const auto demo = service_->cli_peer({"demo", "--workers", "3", "--seconds", "60"});
    QTRY_VERIFY_WITH_TIMEOUT(service_->cli_json({"status"}).value("clients").toInt() > 3,
                             kPatienceMs);
    for (int i = 0; i < 20; ++i) {
        const auto found = service_->cli({"health", "--json"});
        for (const auto& value : found.json().value("checks").toArray()) {
            const auto check = value.toObject();
            const auto name = check.value("name").toString();
            if (name.startsWith("region") || name.startsWith("lease") || name == "grants" ||
                name == "client_rows" || name == "audit_chain")
                QVERIFY2(check.value("status").toString() == "ok", qPrintable(found.out));
        }
    }
}

void Health::what_is_wrong_comes_first() {
    QFile::setPermissions(segment(), QFile::Permissions(0x6666));
    const auto lines = service_->cli({"health"}).out.split('\n');
    QVERIFY2(lines.at(1).contains("region_segments") && lines.at(1).contains("problem"),
             qPrintable(lines.join('\n')));
    QVERIFY(lines.at(2).contains("chmod 0600"));
}

// In a mount namespace of its own the service finds a small file system at its state directory.
void Health::a_disk_that_runs_out_is_told_from_outside_and_by_the_manager() {
    holder_->end(SIGKILL);
    QCOMPARE(service_->stop(), 0);
    const bool root = ::geteuid() == 0;
    const auto environment = service_->host().environment(service_->instance());
    const auto spaces = root ? QStringList{"-m"} : QStringList{"-U", "-r", "-m"};
    if (Peer("unshare", spaces + QStringList{"true"}, environment).wait().status != 0)
        QSKIP("mounts in a namespace are not permitted here: no small file system to fill");
    const auto program = QCoreApplication::applicationDirPath() + "/snakepit-shm";
    const auto script = QString("mount -t tmpfs -o size=40m,mode=700 none %1 && exec %2 serve")
                            .arg(state({}), program);
    Peer serve("unshare", spaces + QStringList{"sh", "-c", script}, environment);
    QVERIFY(serve.line().contains("serving instance"));
    const auto inside = QStringList{"-t", QString::number(serve.pid()), "-m"} +
                        (root ? QStringList{} : QStringList{"-U", "--preserve-credentials"});
    const auto said = [&](const QString& status, const QString& words) {
        const auto found =
            Peer("nsenter", inside + QStringList{program, "health", "--json"}, environment).wait();
        QStringList names;
        for (const auto& value : found.json().value("checks").toArray()) {
            const auto check = value.toObject();
            if (check.value("status").toString() == status &&
                check.value("message").toString().contains(words))
                names += check.value("name").toString();
        }
        return names;
    };
    QCOMPARE(said("warning", "free of"), QStringList{"state_space"});
    QCOMPARE(said("problem", state({})), QStringList{});
    QFile filler(QString("/proc/%1/root%2filler").arg(serve.pid()).arg(state({})));
    QVERIFY2(filler.open(QIODevice::WriteOnly), qPrintable(filler.errorString()));
    QVERIFY(filler.write(QByteArray(30 << 20, 'x')) > 0 && filler.flush());
    QCOMPARE(said("problem", "free of"), QStringList{"state_space"});
    // In the same words.
    const QString sentence("events cannot be recorded for long");
    QTRY_COMPARE_WITH_TIMEOUT(said("problem", sentence), QStringList({"manager", "state_space"}),
                              kPatienceMs);
    QVERIFY(filler.remove());
    QTRY_COMPARE_WITH_TIMEOUT(said("problem", sentence), QStringList{}, kPatienceMs);
    serve.end(SIGTERM);
}

void Health::a_manager_keeps_what_it_found_and_tells_when_it_is_mended() {
    const auto path = segment();
    QVERIFY(QFile::resize(path, 4096));
    holder_->end(SIGKILL);
    QTRY_VERIFY_WITH_TIMEOUT(kinds().count("health_problem") == 1, kPatienceMs);
    // It is looked at again, and is not a new problem.
    service_->host().use_in_this_process(service_->instance());
    const auto manager = ManagerClient::connect({.lease = false});
    QVERIFY(manager);
    const auto looks = [&] {
        const auto report = (*manager)->report("health");
        return report ? QJsonDocument::fromJson(QByteArray::fromStdString(*report))["history"]
                            .toArray()
                            .size()
                      : 0;
    };
    const auto before = looks();
    QTRY_VERIFY_WITH_TIMEOUT(looks() > before + 2, kPatienceMs);
    QCOMPARE(kinds().count("health_problem"), 1);
    QCOMPARE(kinds().count("health_mended"), 0);
    QCOMPARE(service_->cli({"deallocate", id_, "--force"}).status, 0);
    QCOMPARE(service_->cli({"cleanup", "--all-eligible", "--no-quarantine"}).status, 0);
    QTRY_VERIFY_WITH_TIMEOUT(kinds().count("health_mended") == 1, kPatienceMs);
}

int main(int argc, char** argv) {
    QCoreApplication application(argc, argv);
    const auto words = QCoreApplication::arguments();
    if (words.size() == 3 && words[1] == "keeper") return run_keeper(words[2].toStdString());
    Health test;
    return QTest::qExec(&test, argc, argv);
}

#include "tst_health.moc"
