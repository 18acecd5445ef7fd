// SPDX-License-Identifier: MIT
// The host's service as a user of its own, its clients as others, and one who tries everything.
#include <grp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <QDir>
#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QTemporaryDir>
#include <QTest>

#include "intruder.h"
#include "service_fixture.h"

namespace snakepit::shm::test {

namespace {

// Numbers that no account needs to have.
struct Person {
    uid_t uid;
    std::vector<gid_t> groups;
};
constexpr gid_t kUsers = 100, kGames = 60;  // every Debian has them
const Person kService{61200, {kUsers, kGames}}, kOwner{61201, {kUsers}}, kIntruder{61202, {kUsers}},
    kStranger{61203, {}}, kAdministrator{61204, {kUsers, kGames}};

// A program that runs as somebody else.
class Program {
  public:
    Program(const Person& person, const QString& program, const QStringList& words,
            const QProcessEnvironment& environment) {
        process_.setProcessEnvironment(environment);
        process_.setChildProcessModifier([person] {
            if (::setgroups(person.groups.size(), person.groups.data()) != 0 ||
                ::setresgid(person.uid, person.uid, person.uid) != 0 ||
                ::setresuid(person.uid, person.uid, person.uid) != 0)
                ::_exit(126);
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        });
        process_.start(program, words);
        process_.waitForStarted(kPatienceMs);
    }
    ~Program() {
        process_.kill();
        process_.waitForFinished(kPatienceMs);
    }
    Finished wait(const QByteArray& input = {}) {
        process_.write(input);
        process_.closeWriteChannel();
        process_.waitForFinished(kPatienceMs);
        Finished out;
        out.status = process_.exitCode();
        out.out = process_.readAllStandardOutput();
        out.err = process_.readAllStandardError();
        return out;
    }
    bool says(const QByteArray& text) {
        QByteArray said;
        while (!said.contains(text))
            if (!process_.waitForReadyRead(kPatienceMs)) {
                qWarning("%s", process_.readAllStandardError().constData());
                return false;
            } else {
                said += process_.readAllStandardOutput();
            }
        return true;
    }
    qint64 pid() const { return process_.processId(); }

  private:
    QProcess process_;
};

}  // namespace

class Isolation : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase();
    void init();
    void cleanup();
    void a_stranger_is_told_that_the_group_is_needed();
    void members_share_what_they_are_granted_and_see_nothing_else();
    void an_intruder_gets_nothing();
    void the_same_tries_by_the_services_own_user_succeed();
    void the_admin_group_reads_the_registry_and_nothing_else();
    void everything_is_still_there_after_a_kill();

  private:
    QString instance() const { return QString("isolation%1").arg(::getpid()); }
    QString runtime() const { return "/run/snakepit-shm/" + instance(); }
    QString path(const QString& name) const { return directory_->filePath(name); }
    bool own(const QString& path, uid_t uid, mode_t mode) {
        QDir().mkpath(path);
        return ::chown(path.toUtf8().constData(), uid, uid) == 0 &&
               ::chmod(path.toUtf8().constData(), mode) == 0;
    }
    QProcessEnvironment environment() const {
        QProcessEnvironment out;
        out.insert("PATH", "/usr/bin:/bin");
        out.insert("HOME", "/nonexistent");
        out.insert("SNAKEPIT_SHM_INSTANCE", instance());
        return out;
    }
    void start() {
        auto environment = this->environment();
        environment.insert("RUNTIME_DIRECTORY", runtime());
        environment.insert("STATE_DIRECTORY", path("state"));
        environment.insert("SNAKEPIT_SHM_CONFIG", path("service.toml"));
        service_ =
            std::make_unique<Program>(kService, program(), QStringList{"serve"}, environment);
        QVERIFY(service_->says("serving instance"));
    }
    QString program() const { return QCoreApplication::applicationDirPath() + "/snakepit-shm"; }
    Finished cli(const Person& person, const QStringList& words, const QByteArray& input = {}) {
        return Program(person, program(), words, environment()).wait(input);
    }
    QString make(const QStringList& words, const QByteArray& text) {
        const auto made = cli(kOwner, QStringList{"allocate", "64KiB", "--json"} + words);
        const auto id = made.json().value("id").toString();
        const auto written = cli(kOwner, {"write", id}, text);
        if (written.status == 0) return id;
        qWarning("%s%s", qPrintable(made.err), qPrintable(written.err));
        return {};
    }
    Finished intrude(const Person& person, const QStringList& regions) {
        const QStringList words{"intruder",
                                QString::number(service_->pid()),
                                QString::number(keeper_pid()),
                                runtime(),
                                path("state"),
                                path("segments")};
        return Program(person, QCoreApplication::applicationFilePath(), words + regions,
                       environment())
            .wait();
    }
    qint64 keeper_pid() {
        return cli(kOwner, {"status", "--json"})
            .json()
            .value("keeper")
            .toObject()
            .value("name")
            .toString()
            .section(' ', 1)
            .toLongLong();
    }

    std::unique_ptr<QTemporaryDir> directory_;
    std::unique_ptr<Program> service_;
};

void Isolation::initTestCase() {
    if (::geteuid() != 0) QSKIP("only root can be several users: run as root (CI does)");
    const auto readable = QFileInfo(program()).permissions() & QFile::ExeOther;
    if (!readable) QSKIP("other users cannot run the built programs where they are");
}

void Isolation::init() {
    directory_ = std::make_unique<QTemporaryDir>("/dev/shm/snakepit-test-XXXXXX");
    QVERIFY(::chmod(directory_->path().toUtf8().constData(), 0755) == 0);
    QVERIFY(own("/run/snakepit-shm", 0, 0755));
    QVERIFY(own(runtime(), kService.uid, 0755));
    QVERIFY(own(path("state"), kService.uid, 0700));
    QVERIFY(own(path("segments"), 0, 01777));  // as /dev/shm is
    QFile file(path("service.toml"));
    QVERIFY(file.open(QIODevice::WriteOnly));
    file.write(QString("[shared_memory]\nsocket_group = \"users\"\nsocket_mode = \"0660\"\n"
                       "admin_group = \"games\"\n"
                       "[shared_memory.platform_options.linux]\nshm_path = \"%1\"\n")
                   .arg(path("segments"))
                   .toUtf8());
    file.close();
    QVERIFY(::chmod(file.fileName().toUtf8().constData(), 0644) == 0);
    start();
}

void Isolation::cleanup() {
    service_.reset();
    QDir(runtime()).removeRecursively();  // the keeper ends with it
}

void Isolation::a_stranger_is_told_that_the_group_is_needed() {
    const auto refused = cli(kStranger, {"list", "--json"});
    QCOMPARE(refused.status, 4);
    QCOMPARE(refused.error().value("type").toString(), "permission_denied");
    QVERIFY(refused.error().value("remedy").toString().contains("join the group"));
}

void Isolation::members_share_what_they_are_granted_and_see_nothing_else() {
    const auto readable = make({"--other", "ro"}, "readable");
    const auto writable = make({"--other", "rw"}, "writable");
    const auto hidden = make({}, "hidden");
    const auto listed = cli(kIntruder, {"list", "--json"}).json().value("regions").toArray();
    QSet<QString> ids;
    for (const auto& region : listed) ids.insert(region.toObject().value("id").toString());
    QCOMPARE(ids, (QSet<QString>{readable, writable}));
    QCOMPARE(cli(kIntruder, {"read", readable, "--size", "8"}).out, "readable");
    QCOMPARE(cli(kIntruder, {"write", writable}, "changed!").status, 0);
    QCOMPARE(cli(kOwner, {"read", writable, "--size", "8"}).out, "changed!");
    QCOMPARE(cli(kIntruder, {"write", readable}, "changed!").status, 4);
    QCOMPARE(cli(kIntruder, {"read", hidden}).status, 4);
    QCOMPARE(cli(kIntruder, {"deallocate", readable}).status, 4);
    // Root is an administrator, and finds the host's manager as everybody does.
    const auto all = cli({0, {}}, {"list", "--json"}).json().value("regions").toArray();
    QCOMPARE(all.size(), 3);
}

void Isolation::an_intruder_gets_nothing() {
    const auto readable = make({"--other", "ro"}, "readable");
    const auto writable = make({"--other", "rw"}, "writable");
    const auto sealed = make({"--other", "ro"}, "sealed");
    QCOMPARE(cli(kOwner, {"seal", sealed}).status, 0);
    const auto pooled = make({}, "pooled");
    const auto alone = make({"--placement", "dedicated"}, "alone");
    QTRY_VERIFY_WITH_TIMEOUT(keeper_pid() > 0, kPatienceMs);
    const auto tried = intrude(kIntruder, {readable, writable, sealed, pooled, alone});
    const auto lines = tried.out.trimmed().split('\n');
    QVERIFY2(lines.last().startsWith("tried "), qPrintable(tried.out + tried.err));
    QVERIFY(lines.last().section(' ', 1).toInt() > 500);
    QVERIFY2(lines.size() == 1, qPrintable(tried.out));
    // Nothing of it did any harm.
    QCOMPARE(cli(kOwner, {"read", readable, "--size", "8"}).out, "readable");
    QCOMPARE(cli(kOwner, {"read", sealed, "--size", "6"}).out, "sealed");
    QCOMPARE(cli(kOwner, {"read", pooled, "--size", "6"}).out, "pooled");
    QCOMPARE(cli(kOwner, {"read", alone, "--size", "5"}).out, "alone");
    const auto refusals = cli({0, {}}, {"status", "--json"});
    QCOMPARE(refusals.status, 0);
}

// What the tries are worth: they are no more than what the service's own user can do to it.
void Isolation::the_same_tries_by_the_services_own_user_succeed() {
    const auto region = make({"--other", "ro"}, "region");
    const auto named = make({"--placement", "dedicated"}, "named");
    QTRY_VERIFY_WITH_TIMEOUT(keeper_pid() > 0, kPatienceMs);
    const auto tried = intrude(kService, {region, region, region, region, named}).out;
    for (const auto* what :
         {"GOT readable: mode changed", "GOT readable: opened again to write",
          "GOT service: signal 9", "GOT keeper: signal 9", "grants: opened to write",
          "events.db: removed", "keeper.sock: removed", "segments/snakepit_"})
        QVERIFY2(tried.contains(what), qPrintable(what + ("\n" + tried)));
    // The kernel keeps even that user from these.
    for (const auto* what :
         {"readable: cut short", "readable: made longer", "readable: seal added"})
        QVERIFY2(!tried.contains(what), what);
}

void Isolation::the_admin_group_reads_the_registry_and_nothing_else() {
    struct stat info {};
    QCOMPARE(::stat((runtime() + "/registry").toUtf8().constData(), &info), 0);
    QCOMPARE(info.st_mode & 07777U, 0640U);
    QCOMPARE(info.st_gid, kGames);
    const auto cat = [&](const Person& person, const QString& file) {
        return Program(person, "/usr/bin/head", {"-c", "1", runtime() + "/" + file}, environment())
            .wait()
            .status;
    };
    QCOMPARE(cat(kAdministrator, "registry"), 0);
    QVERIFY(cat(kIntruder, "registry") != 0);
    for (const auto* file : {"grants", "locks", "service.lock"})
        QVERIFY2(cat(kAdministrator, file) != 0, file);
    for (const auto* file : {"registry", "control.sock"})
        QVERIFY(QFile::exists(runtime() + "/" + file));
    QCOMPARE(::stat((runtime() + "/control.sock").toUtf8().constData(), &info), 0);
    QCOMPARE(info.st_mode & 07777U, 0660U);
    QCOMPARE(info.st_gid, kUsers);
}

void Isolation::everything_is_still_there_after_a_kill() {
    const auto readable = make({"--other", "ro"}, "readable");
    const auto hidden = make({}, "hidden");
    service_.reset();  // kill -9
    start();
    QCOMPARE(cli(kIntruder, {"read", readable, "--size", "8"}).out, "readable");
    QCOMPARE(cli(kOwner, {"read", hidden, "--size", "6"}).out, "hidden");
}

}  // namespace snakepit::shm::test

int main(int argc, char** argv) {
    QCoreApplication application(argc, argv);
    auto words = application.arguments();
    if (words.size() > 1 && words[1] == "intruder") return run_intruder(words.mid(2));
    snakepit::shm::test::Isolation test;
    return QTest::qExec(&test, argc, argv);
}
#include "tst_isolation.moc"
