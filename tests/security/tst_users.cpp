// SPDX-License-Identifier: MIT
// Real users, groups and programs against a manager that runs as a user of its own. Makes them, and
// so needs root.
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <QDir>
#include <QFileInfo>
#include <QJsonArray>
#include <QJsonDocument>
#include <QProcess>
#include <QStandardPaths>
#include <QTest>
#include <map>
#include <memory>
#include <vector>

#include "service_fixture.h"
#include "user_client.h"

using namespace snakepit::shm::test;

namespace {

enum Condition : int { kUser = 1, kGroup = 2, kProgram = 4 };
enum Wanted : int { kRead, kWrite, kManage };

// Somebody who asks, and which conditions it meets.
struct Asker {
    const char* user;
    const char* program;
    int meets;
};
constexpr Asker kAskers[] = {
    {"alice", "reader", kUser | kGroup | kProgram},  // in the group by a supplementary one
    {"alice", "other", kUser | kGroup},
    {"bob", "reader", kGroup | kProgram},  // it is bob's own group
    {"bob", "other", kGroup},
    {"eve", "reader", kProgram},
    {"eve", "other", 0},
};

int run(const QString& program, const QStringList& words) {
    QProcess process;
    process.setProcessChannelMode(QProcess::MergedChannels);
    process.start(program, words);
    process.waitForFinished(kPatienceMs);
    if (process.exitCode() != 0)
        qWarning("%s: %s", qPrintable(program), process.readAll().constData());
    return process.exitStatus() == QProcess::NormalExit ? process.exitCode() : -1;
}

}  // namespace

class UsersTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase();
    void init();
    void cleanup();
    void cleanupTestCase();

    void each_combination_of_user_group_and_program_is_kept_data();
    void each_combination_of_user_group_and_program_is_kept();
    void permissions_of_the_group_count_supplementary_ones();
    void programs_of_others_are_not_believed_when_the_kernel_does_not_tell();
    void a_program_that_becomes_another_is_not_taken_for_it();
    void memory_that_was_kept_is_nobodys_after_a_narrower_policy();
    void an_operator_sees_and_tidies_and_does_not_read();
    void a_name_is_its_users_and_shows_nothing_to_others();

  private:
    // How often each user was refused each operation.
    using Refused = std::map<std::pair<uint, QString>, int>;
    QByteArray policy_of(int conditions, int right) const;
    void try_everything(Peer& peer, const Asker& asker, const QString& id, int right, bool meets,
                        Refused& refused);
    QString name(const QString& role) const { return prefix_ + role; }
    QString bin(const QString& program) const { return bin_->filePath(program); }
    QProcessEnvironment environment() const;
    QStringList as(const QString& role, const QStringList& more = {}) const;
    void serve(bool sees_programs, const QString& configuration = {});
    std::unique_ptr<Peer> client(const QString& role, const QString& program = "other") const;
    Finished cli(const QString& role, const QStringList& words) const;
    QString allocate(Peer& owner);
    int refusals(const QString& id, uint uid, const QString& operation) const;
    uint uid_of(const QString& role) const {
        return ::getpwnam(name(role).toUtf8().constData())->pw_uid;
    }

    QString prefix_;
    std::unique_ptr<QTemporaryDir> bin_;
    std::unique_ptr<TestHost> host_;
    std::unique_ptr<Peer> service_;
};

void UsersTest::initTestCase() {
    if (::geteuid() != 0) QSKIP("only root can make users");
    for (const auto* tool : {"useradd", "groupadd", "setpriv"})
        if (QStandardPaths::findExecutable(tool, {"/usr/sbin", "/usr/bin", "/sbin", "/bin"})
                .isEmpty())
            QSKIP("this system has no useradd, groupadd or setpriv");
    prefix_ = QString("spt%1").arg(::getpid());
    QCOMPARE(run("groupadd", {name("sim")}), 0);
    for (const auto* role : {"svc", "owner", "alice", "eve"})
        QCOMPARE(run("useradd", {"-M", "-s", "/usr/sbin/nologin", "-U", name(role)}), 0);
    QCOMPARE(run("useradd", {"-M", "-s", "/usr/sbin/nologin", "-g", name("sim"), name("bob")}), 0);
    QCOMPARE(run("usermod", {"-a", "-G", name("sim"), name("alice")}), 0);

    // Where others may run them from; the build directory need not be open to anybody.
    bin_ = std::make_unique<QTemporaryDir>();
    QCOMPARE(::chmod(qPrintable(bin_->path()), 0755), 0);
    const auto self = QCoreApplication::applicationFilePath();
    const auto built = QFileInfo(self).absolutePath() + "/snakepit-shm";
    const auto library = TestHost().environment("test").value("SNAKEPIT_SHM_LIBRARY");
    const auto plugin = QFileInfo(library).absolutePath() + "/snakepit-shm/plugins/";
    for (const auto& [from, to] : std::map<QString, QString>{{built, "snakepit-shm"}})
        QVERIFY(QFile::copy(from, bin(to)));
    for (const auto* copy : {"reader", "other"}) QVERIFY(QFile::copy(self, bin(copy)));
    QVERIFY(QDir(bin_->path()).mkpath("plugins"));
    for (const auto& file : QDir(plugin).entryList(QDir::Files))
        QVERIFY(QFile::copy(plugin + file, bin("plugins/" + file)));
    QCOMPARE(run("chmod", {"-R", "a+rX", bin_->path()}), 0);
}

void UsersTest::cleanupTestCase() {
    if (prefix_.isEmpty()) return;
    for (const auto* role : {"svc", "owner", "alice", "eve", "bob"}) run("userdel", {name(role)});
    run("groupdel", {name("sim")});
}

void UsersTest::init() {
    host_ = std::make_unique<TestHost>();
}

void UsersTest::cleanup() {
    if (service_) service_->end(SIGTERM);
    service_.reset();
    host_.reset();
}

QProcessEnvironment UsersTest::environment() const {
    auto out = host_->environment("test");
    out.insert("SNAKEPIT_SHM_PLUGIN_DIR", bin("plugins"));
    return out;
}

// Words for setpriv; the program's own follow.
QStringList UsersTest::as(const QString& role, const QStringList& more) const {
    return QStringList{"--reuid",
                       name(role),
                       "--regid",
                       QString::number(::getpwnam(name(role).toUtf8().constData())->pw_gid),
                       "--init-groups",
                       "--pdeathsig",
                       "KILL"} +
           more;
}

void UsersTest::serve(bool sees_programs, const QString& configuration) {
    host_->configure(configuration);
    QCOMPARE(run("chown", {"-R", name("svc"), host_->path("")}), 0);
    const auto caps = sees_programs ? QStringList{"--inh-caps", "-all,+sys_ptrace",
                                                  "--ambient-caps", "-all,+sys_ptrace"}
                                    : QStringList{"--inh-caps", "-all", "--bounding-set", "-all"};
    service_ = std::make_unique<Peer>(
        "setpriv", as("svc", caps) + QStringList{bin("snakepit-shm"), "serve"}, environment());
    QVERIFY(service_->line().contains("serving instance"));
    // The way to the socket, and nothing else, for everybody.
    const auto runtime = host_->runtime_dir("test");
    for (auto directory = runtime; directory.size() >= host_->path("").size() - 1;
         directory.truncate(directory.lastIndexOf('/')))
        QCOMPARE(::chmod(qPrintable(directory), 0711), 0);
    QCOMPARE(::chmod(qPrintable(runtime + "/control.sock"), 0666), 0);
}

std::unique_ptr<Peer> UsersTest::client(const QString& role, const QString& program) const {
    auto peer = std::make_unique<Peer>(
        "setpriv", as(role) + QStringList{bin(program), "user-client"}, environment());
    const auto answer = peer->ask("connect");
    if (answer != "ok") qWarning("%s cannot connect: %s", qPrintable(role), qPrintable(answer));
    return peer;
}

Finished UsersTest::cli(const QString& role, const QStringList& words) const {
    return Peer("setpriv", as(role) + QStringList{bin("snakepit-shm")} + words, environment())
        .wait();
}

QString UsersTest::allocate(Peer& owner) {
    const auto answer = owner.ask("allocate");
    return answer.startsWith("ok ") ? answer.mid(3) : QString();
}

// Recorded ones, of this user. Asked again until the recorder has written what was published.
int UsersTest::refusals(const QString& id, uint uid, const QString& operation) const {
    int count = 0;
    const auto events =
        cli("svc", {"events", "--json", "--region", id, "--kind", "refused"}).json();
    for (const auto& event : events["events"].toArray()) {
        const auto detail = event.toObject()["detail"].toObject();
        if (event.toObject()["uid"].toInt() == static_cast<int>(uid) &&
            detail["operation"].toString() == operation && !detail["reason"].toString().isEmpty())
            ++count;
    }
    return count;
}

void UsersTest::each_combination_of_user_group_and_program_is_kept_data() {
    QTest::addColumn<int>("right");
    QTest::newRow("read") << int{kRead};
    QTest::newRow("write") << int{kWrite};
    QTest::newRow("manage") << int{kManage};
}

QByteArray UsersTest::policy_of(int conditions, int right) const {
    QJsonObject rule{{"allow", QJsonArray{right == kRead    ? "read"
                                          : right == kWrite ? "write"
                                                            : "manage"}}};
    if (conditions & kUser) rule.insert("user", name("alice"));
    if (conditions & kGroup) rule.insert("group", name("sim"));
    if (conditions & kProgram) rule.insert("program", QFileInfo(bin("reader")).canonicalFilePath());
    return QJsonDocument(QJsonObject{{"rules", QJsonArray{rule}}}).toJson(QJsonDocument::Compact);
}

// Reading, writing, managing; after each refusal the program has nothing that it could use.
void UsersTest::try_everything(Peer& peer, const Asker& asker, const QString& id, int right,
                               bool meets, Refused& refused) {
    const auto expect = [&](const QString& words, const QString& operation, bool allowed) {
        const auto said = peer.ask(words);
        if (!allowed) ++refused[{uid_of(asker.user), operation}];
        return said == (allowed ? "ok" : "permission_denied");
    };
    const QString nothing("descriptors 0 mappings 0 references 0");
    const bool reads = meets && right != kManage, writes = meets && right == kWrite;
    QVERIFY(expect("map " + id + " ro", "map", reads));
    const auto after_reading = peer.ask("holds " + id + " ro");
    QCOMPARE(after_reading == nothing + " words 0", !reads);
    QVERIFY(expect("map " + id + " rw", "map", writes));
    QCOMPARE(peer.ask("holds " + id + " rw").startsWith(nothing), !writes);
    QVERIFY(expect("manage " + id, "policy", meets && right == kManage));
}

void UsersTest::each_combination_of_user_group_and_program_is_kept() {
    QFETCH(int, right);
    serve(true);
    const auto owner = client("owner");
    std::vector<std::unique_ptr<Peer>> askers;
    for (const auto& asker : kAskers) askers.push_back(client(asker.user, asker.program));
    for (int conditions = 0; conditions < 8; ++conditions) {
        const auto id = allocate(*owner);
        QVERIFY(!id.isEmpty());
        const auto set = owner->ask(QString("policy %1 %2").arg(id, policy_of(conditions, right)));
        QVERIFY2(set.contains("\"policy_in_effect\":true"), qPrintable(set));
        Refused refused;
        for (std::size_t i = 0; i < askers.size(); ++i) {
            const bool meets = (kAskers[i].meets & conditions) == conditions;
            try_everything(*askers[i], kAskers[i], id, right, meets, refused);
            if (QTest::currentTestFailed())
                QFAIL(qPrintable(
                    QString("%1 running %2 under %3")
                        .arg(kAskers[i].user, kAskers[i].program, QString::number(conditions))));
        }
        for (const auto& [what, times] : refused)
            QTRY_COMPARE_WITH_TIMEOUT(refusals(id, what.first, what.second), times, kPatienceMs);
        QCOMPARE(owner->ask("deallocate " + id), QString("ok"));
    }
}

void UsersTest::permissions_of_the_group_count_supplementary_ones() {
    serve(false);
    const auto owner = client("bob");  // whose group is sim
    const auto id = allocate(*owner);
    QVERIFY(owner->ask("policy " + id + R"( {"permissions":{"group":"ro"}})").startsWith("ok"));
    QCOMPARE(client("alice")->ask("map " + id + " ro"), QString("ok"));
    QCOMPARE(client("alice")->ask("map " + id + " rw"), QString("permission_denied"));
    QCOMPARE(client("eve")->ask("map " + id + " ro"), QString("permission_denied"));
    QCOMPARE(owner->ask("map " + id + " rw"), QString("ok"));
}

void UsersTest::programs_of_others_are_not_believed_when_the_kernel_does_not_tell() {
    serve(false);
    const auto owner = client("owner");
    const auto id = allocate(*owner);
    const auto rule = QString(R"({"rules":[{"program":"%1","allow":["read"]}]})")
                          .arg(QFileInfo(bin("reader")).canonicalFilePath());
    QVERIFY(owner->ask("policy " + id + " " + rule).startsWith("ok"));
    QCOMPARE(client("alice", "reader")->ask("map " + id + " ro"), QString("permission_denied"));
    const auto check = cli("owner", {"policy", "check", id});
    QCOMPARE(check.status, 5);
    QVERIFY2(check.out.contains("CAP_SYS_PTRACE"), qPrintable(check.out));
}

void UsersTest::a_program_that_becomes_another_is_not_taken_for_it() {
    serve(true);
    const auto owner = client("owner");
    const auto id = allocate(*owner);
    const auto rule = QString(R"({"rules":[{"program":"%1","allow":["read"]}]})")
                          .arg(QFileInfo(bin("reader")).canonicalFilePath());
    QVERIFY(owner->ask("policy " + id + " " + rule).startsWith("ok"));
    // The same path leads to another file by now: what runs is not what the rule names.
    const auto reader = client("alice", "reader");
    QCOMPARE(reader->ask("map " + id + " ro"), QString("ok"));
    QVERIFY(QFile::rename(bin("reader"), bin("reader.old")));
    QVERIFY(QFile::copy(bin("other"), bin("reader")));
    QCOMPARE(run("chmod", {"a+rx", bin("reader")}), 0);
    const auto another = allocate(*owner);
    QVERIFY(owner->ask("policy " + another + " " + rule).startsWith("ok"));
    QCOMPARE(reader->ask("map " + another + " ro"), QString("permission_denied"));
    QCOMPARE(client("alice", "reader")->ask("map " + another + " ro"), QString("ok"));
    QVERIFY(QFile::remove(bin("reader.old")));
}

void UsersTest::memory_that_was_kept_is_nobodys_after_a_narrower_policy() {
    serve(false);
    const auto owner = client("owner"), alice = client("alice");
    const auto id = allocate(*owner);
    const auto policy = [&](const char* right) {
        return owner->ask(QString(R"(policy %1 {"rules":[{"user":"%2","allow":["%3"]}]})")
                              .arg(id, name("alice"), right));
    };
    QVERIFY(policy("write").contains("\"policy_in_effect\":true"));
    QCOMPARE(alice->ask("keep " + id + " rw"), QString("ok"));
    const auto narrower = policy("read");
    QVERIFY2(narrower.contains("\"policy_in_effect\":false"), qPrintable(narrower));
    QVERIFY2(cli("owner", {"policy", "show", id}).out.contains("not in full effect"), "");
    const auto info = cli("owner", {"info", id, "--json"}).json();
    QVERIFY(info.contains("policy_in_effect") && !info["policy_in_effect"].toBool());
    QVERIFY(!info["policy_note"].toString().isEmpty());
    QCOMPARE(alice->ask("map " + id + " rw"), QString("permission_denied"));
    QCOMPARE(alice->ask("drop"), QString("ok"));
    // She held it as the last one but its owner, who only keeps it from ending.
    QCOMPARE(owner->ask("peek " + id + " ro"), QString("ok k"));
    QVERIFY(policy("read").contains("\"policy_in_effect\":true"));
    // Into what she still has mapped: it is memory of nobody's, or not there at all any more.
    alice->say("poke");
    alice->end(SIGTERM);
    QCOMPARE(owner->ask("peek " + id + " ro"), QString("ok k"));
    QCOMPARE(client("alice")->ask("peek " + id + " ro"), QString("ok k"));
}

void UsersTest::an_operator_sees_and_tidies_and_does_not_read() {
    serve(false, QString("[shared_memory.roles]\noperators = [\"%1\"]").arg(name("eve")));
    const auto owner = client("owner");
    const auto id = allocate(*owner);
    QCOMPARE(client("eve")->ask("map " + id + " ro"), QString("permission_denied"));
    QCOMPARE(cli("eve", {"list", "--json"}).json()["regions"].toArray().size(), 1);
    QCOMPARE(cli("alice", {"list", "--json"}).json()["regions"].toArray().size(), 0);
    QCOMPARE(cli("eve", {"defragment"}).status, 0);
    QCOMPARE(cli("alice", {"defragment"}).status, 4);
    QCOMPARE(cli("eve", {"config", "reload"}).status, 4);
    QCOMPARE(cli("eve", {"policy", "set", id, "--permissions", "other=ro"}).status, 4);
    host_->configure(QString("[shared_memory.roles]\noperators = [\"%1\"]").arg(name("alice")));
    QCOMPARE(cli("svc", {"config", "reload"}).status, 0);
    QCOMPARE(cli("alice", {"defragment"}).status, 0);
    QCOMPARE(cli("eve", {"defragment"}).status, 4);
    QTRY_VERIFY_WITH_TIMEOUT(cli("svc", {"events", "--kind", "policy_changed"})
                                 .out.contains("operators: " + name("alice")),
                             kPatienceMs);
    host_->configure(QString("[shared_memory.roles]\noperators = [\"%1\"]").arg(name("eve")));
    QCOMPARE(cli("svc", {"config", "reload"}).status, 0);
    const auto asked = cli("owner", {"policy", "what-if", id, "--user", name("eve"), "--json"});
    const auto answer = asked.json().value("now");
    QCOMPARE(answer["role"].toString(), QString("operator"));
    QVERIFY(answer["read"].isObject() && !answer["read"]["allowed"].toBool());
}

void UsersTest::a_name_is_its_users_and_shows_nothing_to_others() {
    serve(true);
    if (QTest::currentTestFailed()) return;
    const auto allocate = [&](const QString& role, const QStringList& more) {
        return cli(role, QStringList{"allocate", "4096", "--name", "data", "--json"} + more)
            .json()["id"]
            .toString();
    };
    const auto find = [&](const QString& role, const QString& word) {
        const auto found = cli(role, {"info", word, "--json"});
        return found.status == 0 ? found.json()["id"].toString() : found.error()["code"].toString();
    };
    const auto shared = allocate("owner", {"--other", "ro"}), hidden = allocate("bob", {});
    QVERIFY(shared.startsWith("shm_") && hidden.startsWith("shm_"));
    QCOMPARE(find("owner", "data"), shared);
    QCOMPARE(find("bob", "data"), hidden);
    QCOMPARE(find("eve", "data"), "region_not_found");
    QCOMPARE(find("eve", name("owner") + "/data"), shared);
    QCOMPARE(find("eve", QString("%1/data").arg(uid_of("owner"))), shared);
    QCOMPARE(find("eve", name("bob") + "/data"), "region_not_found");
    const auto refused = cli("eve", {"info", name("bob") + "/data"}).err;
    const auto missing = cli("eve", {"info", name("bob") + "/none"}).err;
    QCOMPARE(QString(refused).replace("/data", "/none"), missing);
    QTRY_COMPARE_WITH_TIMEOUT(refusals(hidden, uid_of("eve"), "resolve"), 2, kPatienceMs);
}

int main(int argc, char** argv) {
    if (argc == 2 && std::string(argv[1]) == "user-client") return run_user_client();
    QCoreApplication app(argc, argv);
    UsersTest test;
    return QTest::qExec(&test, argc, argv);
}
#include "tst_users.moc"
