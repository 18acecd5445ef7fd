// SPDX-License-Identifier: MIT
// Memory without a name survives whatever ends the manager, as long as its keeper lives; and the
// other way round.
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <QDir>
#include <QFile>
#include <QJsonArray>
#include <QTest>

#include <csignal>

#include "client/manager_client.h"
#include "paused.h"
#include "platform/channel.h"
#include "platform/keeper.h"
#include "platform/process.h"
#include "service_fixture.h"

namespace snakepit::shm::test {

class Keeper : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init();
    void contents_survive_the_manager();
    void sealed_regions_survive_the_manager();
    void arenas_without_names_survive_the_manager();
    void a_keeper_that_dies_is_replaced_and_has_everything();
    void a_keeper_that_hangs_is_replaced();
    void what_nobody_kept_is_told_as_lost();
    void who_holds_a_lost_region_keeps_it();
    void nothing_is_kept_of_what_was_freed();
    void it_ends_when_it_holds_nothing_and_no_manager_is_there();
    void it_ends_when_no_manager_comes();
    void it_ends_when_its_directory_goes();
    void it_listens_to_its_own_user_alone();
    void a_group_that_is_not_there_is_an_error();

  private:
    QString make(const QStringList& words, const QByteArray& text) {
        const auto id =
            service_->cli_json(QStringList{"allocate", "64KiB"} + words).value("id").toString();
        auto writer = service_->cli_peer({"write", id});
        writer->say(text);
        return writer->wait().status == 0 ? id : QString();
    }
    QByteArray read(const QString& id, int bytes) {
        return service_->cli({"read", id, "--size", QString::number(bytes)}).out.toUtf8();
    }
    QString state(const QString& id) {
        return service_->cli_json({"info", id}).value("state").toString();
    }
    QJsonObject keeper() { return service_->cli_json({"status"}).value("keeper").toObject(); }
    // Its process; 0 if there is none.
    pid_t keeper_pid() { return keeper().value("name").toString().section(' ', 1).toInt(); }
    QString socket() { return service_->host().runtime_dir(service_->instance()) + "/keeper.sock"; }
    bool has_events(const QString& kind) {
        return !service_->cli_json({"events", "--kind", kind}).value("events").toArray().isEmpty();
    }

    std::unique_ptr<Service> service_;
};

bool ended(pid_t pid) {
    const auto process = inspect_process(pid);
    return !process || process->zombie;
}

const QStringList kWide{"--other", "ro"};

void Keeper::init() {
    service_ = std::make_unique<Service>();
    QVERIFY(service_->start());
}

void Keeper::contents_survive_the_manager() {
    const auto id = make(kWide, "wide");
    QVERIFY(service_->cli_json({"info", id})
                .value("platform_handle")
                .toString()
                .startsWith("memfd:snakepit_test_"));
    QVERIFY(service_->host().segments().isEmpty());
    for (int i = 0; i < 3; ++i) {
        QVERIFY(service_->restart_after_kill());
        QCOMPARE(read(id, 4), QByteArray("wide"));
        QCOMPARE(state(id), "live");
    }
    QCOMPARE(service_->stop(), 0);  // and a stop in good order
    QVERIFY(service_->start());
    QCOMPARE(read(id, 4), QByteArray("wide"));
}

void Keeper::sealed_regions_survive_the_manager() {
    const auto id = make({}, "sealed");
    QVERIFY(service_->cli_json({"seal", id}).value("sealed").toBool());
    QVERIFY(service_->restart_after_kill());
    QCOMPARE(read(id, 6), QByteArray("sealed"));
    QVERIFY(service_->cli_json({"info", id}).value("sealed").toBool());
    QCOMPARE(service_->cli({"deallocate", id, "--force"}).status, 0);
    QTRY_COMPARE_WITH_TIMEOUT(keeper().value("segments").toInt(), 0, kPatienceMs);
}

void Keeper::arenas_without_names_survive_the_manager() {
    service_->stop();
    QFile file(service_->host().config_file());
    QVERIFY(file.open(QIODevice::Append));
    file.write("backing = \"memfd\"\n");
    file.close();
    QVERIFY(service_->start());
    const auto first = make({}, "first"), second = make({}, "second");
    QCOMPARE(service_->cli_json({"info", first}).value("placement").toString(), "pooled");
    QVERIFY(service_->host().segments().isEmpty());
    QVERIFY(service_->restart_after_kill());
    QCOMPARE(read(first, 5), QByteArray("first"));
    QCOMPARE(read(second, 6), QByteArray("second"));
}

void Keeper::a_keeper_that_dies_is_replaced_and_has_everything() {
    const auto id = make(kWide, "kept"), other = make(kWide, "too");
    QTRY_VERIFY_WITH_TIMEOUT(keeper_pid() > 0, kPatienceMs);
    const auto before = keeper_pid();
    QCOMPARE(::kill(before, SIGKILL), 0);
    QTRY_VERIFY_WITH_TIMEOUT(keeper_pid() > 0 && keeper_pid() != before, kPatienceMs);
    QTRY_COMPARE_WITH_TIMEOUT(keeper().value("kept").toInt(), 2, kPatienceMs);
    QVERIFY(service_->restart_after_kill());
    QCOMPARE(read(id, 4), QByteArray("kept"));
    QCOMPARE(read(other, 3), QByteArray("too"));
}

void Keeper::a_keeper_that_hangs_is_replaced() {
    const auto id = make(kWide, "kept");
    QTRY_VERIFY_WITH_TIMEOUT(keeper_pid() > 0, kPatienceMs);
    const auto before = keeper_pid();
    QVERIFY(pause_process(before));
    const auto other = make(kWide, "too");  // it has to wait for the answer that does not come
    QVERIFY(!other.isEmpty());
    QTRY_VERIFY_WITH_TIMEOUT(keeper_pid() > 0 && keeper_pid() != before, kPatienceMs);
    QTRY_COMPARE_WITH_TIMEOUT(keeper().value("kept").toInt(), 2, kPatienceMs);
    QCOMPARE(::kill(before, SIGCONT), 0);
    QTRY_VERIFY_WITH_TIMEOUT(ended(before), kPatienceMs);  // another has its place
    QVERIFY(service_->restart_after_kill());
    QCOMPARE(read(id, 4), QByteArray("kept"));
    QCOMPARE(read(other, 3), QByteArray("too"));
}

void Keeper::what_nobody_kept_is_told_as_lost() {
    const auto id = make(kWide, "lost"), named = make({}, "stays");
    QTRY_VERIFY_WITH_TIMEOUT(keeper_pid() > 0, kPatienceMs);
    const auto keeper_process = keeper_pid();
    service_->kill();
    QCOMPARE(::kill(keeper_process, SIGKILL), 0);
    QTRY_VERIFY_WITH_TIMEOUT(ended(keeper_process), kPatienceMs);
    QVERIFY(service_->start());
    QCOMPARE(state(id), "damaged");
    QCOMPARE(read(named, 5), QByteArray("stays"));
    QVERIFY(has_events("damaged"));
    const auto health = service_->cli({"health"});
    QCOMPARE(health.status, 5);
    QVERIFY(health.out.contains("its memory is lost: no keeper held it"));
    QCOMPARE(service_->cli({"deallocate", id}).status, 0);
    QCOMPARE(service_->cli({"health"}).status, 0);
}

void Keeper::who_holds_a_lost_region_keeps_it() {
    service_->host().use_in_this_process(service_->instance());
    const auto id = make(kWide, "held");
    auto client = ManagerClient::connect();
    QVERIFY(client.has_value());
    const auto view = (*client)->map(*RegionId::parse(id.toStdString()), AccessMode::read_write);
    QVERIFY(view.has_value());
    QTRY_VERIFY_WITH_TIMEOUT(keeper_pid() > 0, kPatienceMs);
    const auto keeper_process = keeper_pid();
    service_->kill();
    QCOMPARE(::kill(keeper_process, SIGKILL), 0);
    QTRY_VERIFY_WITH_TIMEOUT(ended(keeper_process), kPatienceMs);
    QVERIFY(service_->start());
    QCOMPARE(QByteArray(reinterpret_cast<const char*>(view->data), 4), QByteArray("held"));
    QCOMPARE(state(id), "damaged");
    QVERIFY(
        service_->cli({"health"}).out.contains(QString("process %1 still has it").arg(::getpid())));
    QVERIFY((*client)->unmap(*view).has_value());
}

void Keeper::nothing_is_kept_of_what_was_freed() {
    const auto id = make(kWide, "freed");
    QTRY_COMPARE_WITH_TIMEOUT(keeper().value("kept").toInt(), 1, kPatienceMs);
    QCOMPARE(service_->cli({"deallocate", id}).status, 0);
    QTRY_COMPARE_WITH_TIMEOUT(keeper().value("segments").toInt(), 0, kPatienceMs);
    service_->kill();
    const auto kept = keeper_process(socket().toStdString())->take_all();
    QVERIFY(kept.has_value());
    QVERIFY(kept->empty());
}

void Keeper::it_ends_when_it_holds_nothing_and_no_manager_is_there() {
    const auto id = make(kWide, "gone soon");
    QTRY_VERIFY_WITH_TIMEOUT(keeper_pid() > 0, kPatienceMs);
    const auto process = keeper_pid();
    QCOMPARE(service_->cli({"deallocate", id}).status, 0);
    QVERIFY(!ended(process));
    service_->stop();
    QTRY_VERIFY_WITH_TIMEOUT(ended(process), kPatienceMs);
    QVERIFY(service_->start());
    QCOMPARE(service_->cli({"health"}).status, 0);
}

// ------------------------------------------------------------- by themselves

namespace {

struct Alone {  // a keeper that the test started
    QTemporaryDir directory;
    std::string socket = directory.filePath("keeper.sock").toStdString();
    std::shared_ptr<DescriptorKeeper> manager;
    pid_t pid = 0;

    explicit Alone(const std::string& patience_ms) {
        const auto listener = Listener::bind(socket);
        (void)start_detached(companion_program("snakepit-shm-keeper"), {socket, patience_ms},
                             listener->handle());
        manager = keeper_process(socket);
        (void)manager->take_all();
        pid = QString::fromStdString(manager->name()).section(' ', 1).toInt();
    }
    bool put_something() const {
        const Handle file(::memfd_create("something", MFD_CLOEXEC));
        return manager->put("something", file).has_value();
    }
};

}  // namespace

void Keeper::it_ends_when_no_manager_comes() {
    Alone alone("300");
    QVERIFY(alone.pid > 0);
    QVERIFY(alone.put_something());
    QVERIFY(!ended(alone.pid));
    alone.manager.reset();
    QTRY_VERIFY_WITH_TIMEOUT(ended(alone.pid), kPatienceMs);
}

void Keeper::it_ends_when_its_directory_goes() {
    Alone alone("600000");
    QVERIFY(alone.pid > 0);
    QVERIFY(alone.put_something());
    alone.manager.reset();
    QVERIFY(alone.directory.remove());
    QTRY_VERIFY_WITH_TIMEOUT(ended(alone.pid), kPatienceMs);
}

void Keeper::it_listens_to_its_own_user_alone() {
    make(kWide, "mine");
    QTRY_VERIFY_WITH_TIMEOUT(keeper_pid() > 0, kPatienceMs);
    struct stat info {};
    QCOMPARE(::stat(socket().toUtf8().constData(), &info), 0);
    QCOMPARE(info.st_mode & 07777U, 0600U);
    QCOMPARE(info.st_uid, ::geteuid());
}

void Keeper::a_group_that_is_not_there_is_an_error() {
    service_->stop();
    service_->host().configure("socket_group = \"nobody-knows-it\"");
    const auto refused = service_->cli({"serve"});
    QCOMPARE(refused.status, 1);
    QVERIFY(refused.err.contains("socket_group names the group 'nobody-knows-it'"));
}

}  // namespace snakepit::shm::test

QTEST_GUILESS_MAIN(snakepit::shm::test::Keeper)
#include "tst_keeper.moc"
