// SPDX-License-Identifier: MIT
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QTemporaryDir>
#include <QtTest>

#include <fstream>

#include "manager/config.h"

using namespace snakepit::shm;

class TestConfig : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void no_file_and_an_empty_file_give_the_specifications_defaults();
    void the_specifications_advanced_example_is_understood();
    void sizes_and_durations_are_numbers_or_text();
    void who_may_connect_and_what_memory_is_made_of_is_said_in_words();
    void what_is_wrong_is_named_with_its_place_data();
    void what_is_wrong_is_named_with_its_place();
    void an_unknown_key_names_the_nearest_known_one_data();
    void an_unknown_key_names_the_nearest_known_one();
    void a_file_that_cannot_be_read_is_an_error();
    void a_policy_roles_and_quotas_are_read_and_printed();
    void who_is_told_of_alerts_is_read_and_printed();
    void a_configuration_prints_the_specifications_keys_as_json();
    void only_keys_that_cannot_change_while_running_need_a_restart();
    void telemetry_goes_where_it_is_told_and_to_loopback_unless_told_otherwise();
};

namespace {

Config parsed(std::string_view text) {
    auto config = Config::parse(text, "test.toml");
    if (!config) qFatal("%s", config.error().message.c_str());
    return *config;
}

}  // namespace

void TestConfig::no_file_and_an_empty_file_give_the_specifications_defaults() {
    const QTemporaryDir dir;
    const auto empty_file = dir.filePath("empty.toml").toStdString();
    std::ofstream(empty_file).close();
    for (const auto& path : {std::string(), empty_file}) {
        const auto config = Config::load(path);
        QVERIFY(config);
        QVERIFY(config->enabled);
        QCOMPARE(config->max_regions, 1000U);
        QCOMPARE(config->max_region_size, std::uint64_t{1'073'741'824});
        QCOMPARE(config->max_total_memory, std::uint64_t{10'737'418'240});
        QCOMPARE(config->cleanup_interval_ms, std::int64_t{60'000});
        QCOMPARE(config->default_timeout_ms, std::int64_t{300'000});
        QCOMPARE(config->security_level, SecurityLevel::standard);
        QCOMPARE(config->quarantine_ms, std::int64_t{30'000});
        QVERIFY(!config->quarantine_automatic);
        QCOMPARE(config->max_regions_per_user, 0U);
        QCOMPARE(config->shm_path, std::string("/dev/shm"));
    }
}

void TestConfig::the_specifications_advanced_example_is_understood() {
    const auto config = parsed(R"(
[shared_memory]
enabled = true
max_regions = 10_000
max_region_size = 4_294_967_296
max_total_memory = 107_374_182_400
max_regions_per_process = 100
cleanup_interval = 30_000
default_timeout = 600_000
allocation_strategy = "worst_fit"
enable_defragmentation = false
security_level = "high"
encryption_enabled = true
audit_access = true
secure_cleanup = true
telemetry_enabled = true
performance_monitoring = false
health_check_interval = 61_000

[shared_memory.platform_options.linux]
use_hugepages = true
shm_path = "/mnt/shm"

[shared_memory.platform_options.windows]
use_large_pages = true
security_descriptor = "default"
)");
    QCOMPARE(config.max_regions, 10'000U);
    QCOMPARE(config.max_region_size, std::uint64_t{4'294'967'296});
    QCOMPARE(config.max_total_memory, std::uint64_t{107'374'182'400});
    QCOMPARE(config.cleanup_interval_ms, std::int64_t{30'000});
    QCOMPARE(config.default_timeout_ms, std::int64_t{600'000});
    QCOMPARE(config.allocation_strategy, AllocationStrategy::worst_fit);
    QVERIFY(!config.enable_defragmentation);
    QCOMPARE(config.security_level, SecurityLevel::high);
    QVERIFY(config.encryption_enabled && config.audit_access && config.secure_cleanup);
    QVERIFY(config.telemetry_enabled && !config.performance_monitoring);
    QCOMPARE(config.health_check_interval_ms, std::int64_t{61'000});
    QVERIFY(config.use_hugepages);
    QCOMPARE(config.shm_path, std::string("/mnt/shm"));
}

void TestConfig::sizes_and_durations_are_numbers_or_text() {
    const auto config = parsed(R"(
[shared_memory]
max_region_size = "256MiB"
max_total_memory = "1.5 GiB"
cleanup_interval = "10ms"
default_timeout = 0
grace_period = "2m"
quarantine = "45s"
max_memory_per_user = "3GiB"
max_regions_per_user = 0
)");
    QCOMPARE(config.max_region_size, std::uint64_t{256} << 20);
    QCOMPARE(config.max_total_memory, std::uint64_t{1536} << 20);
    QCOMPARE(config.cleanup_interval_ms, std::int64_t{10});
    QCOMPARE(config.default_timeout_ms, std::int64_t{0});
    QCOMPARE(config.grace_period_ms, std::int64_t{120'000});
    QCOMPARE(config.quarantine_ms, std::int64_t{45'000});
    QCOMPARE(config.max_memory_per_user, std::uint64_t{3} << 30);
    QCOMPARE(config.max_regions_per_user, 0U);
}

void TestConfig::who_may_connect_and_what_memory_is_made_of_is_said_in_words() {
    const Config untouched;
    QCOMPARE(untouched.socket_mode, std::string("0600"));
    QVERIFY(untouched.socket_group.empty() && untouched.backing == BackingChoice::automatic);
    const auto config = parsed(R"(
[shared_memory]
socket_group = "staff"
socket_mode = "0660"
admin_group = "adm"
[shared_memory.platform_options.linux]
backing = "memfd"
)");
    QCOMPARE(config.socket_group, std::string("staff"));
    QCOMPARE(config.socket_mode, std::string("0660"));
    QCOMPARE(config.admin_group, std::string("adm"));
    QVERIFY(config.backing == BackingChoice::memfd);
    QVERIFY(config.to_json().find(R"("backing":"memfd")") != std::string::npos);
    QCOMPARE(config.needs_restart(untouched),
             (std::vector<std::string>{"socket_group", "socket_mode", "admin_group"}));
}

void TestConfig::what_is_wrong_is_named_with_its_place_data() {
    QTest::addColumn<QByteArray>("line");
    QTest::addColumn<QByteArray>("place");
    QTest::addColumn<QByteArray>("named");
    const auto row = [](const char* name, const char* line, const char* place, const char* named) {
        QTest::newRow(name) << QByteArray(line) << QByteArray(place) << QByteArray(named);
    };
    row("syntax", "max_regions = = 3", ":2:", "");
    row("no value", "max_regions =", ":2:", "");
    row("twice", "max_regions = 1\nmax_regions = 2", ":3:", "");
    row("not a number", "max_regions = \"many\"", ":2:15:", "number of regions");
    row("none at all", "max_regions = 0", ":2:15:", "number of regions");
    row("negative count", "max_regions = -1", ":2:15:", "number of regions");
    row("huge count", "max_regions = 4294967296", ":2:15:", "number of regions");
    row("negative user limit", "max_regions_per_user = -1", ":2:24:", "number of regions");
    row("quarantine", "quarantine = \"soon\"", ":2:14:", "duration");
    row("fraction of a region", "max_regions = 1.5", ":2:15:", "number of regions");
    row("size unit", "max_region_size = \"1 apple\"", ":2:19:", "size");
    row("size zero", "max_region_size = 0", ":2:19:", "size");
    row("size zero text", "max_region_size = \"0KiB\"", ":2:19:", "size");
    row("size negative", "max_region_size = -4096", ":2:19:", "size");
    row("size is a flag", "max_region_size = true", ":2:19:", "size");
    row("duration unit", "cleanup_interval = \"10 parsecs\"", ":2:20:", "duration");
    row("duration list", "cleanup_interval = [1]", ":2:20:", "duration");
    row("interval too short", "cleanup_interval = 9", ":2:20:", "range");
    row("interval negative", "cleanup_interval = -60000", ":2:20:", "range");
    row("interval too long", "cleanup_interval = \"100000d\"", ":2:20:", "range");
    row("flag", "enabled = \"yes\"", ":2:11:", "true or false");
    row("flag as number", "audit_access = 1", ":2:16:", "true or false");
    row("strategy", "allocation_strategy = \"luck\"", ":2:23:", "strategy");
    row("level", "security_level = \"low\"", ":2:18:", "security level");
    row("region above the total", "max_region_size = \"2GiB\"\nmax_total_memory = \"1GiB\"",
        ":2:19:", "larger than max_total_memory");
    row("total below the default region", "max_total_memory = \"1MiB\"",
        ":1:1:", "larger than max_total_memory");
    row("process above all", "max_regions = 5\nmax_regions_per_process = 6",
        ":3:27:", "larger than max_regions");
    row("backing", "[shared_memory.platform_options.linux]\nbacking = \"paper\"",
        ":3:11:", "backing");
    const auto telemetry = [&row](const char* name, QByteArray line, const char* named) {
        row(name, ("[shared_memory.telemetry]\n" + line).constData(), ":3:", named);
    };
    telemetry("listen", "listen = 9847", "address");
    telemetry("listen to all", "listen = '0.0.0.0:9847'", "others can reach");
    telemetry("listen to all of six", "listen = '[::]:9847'", "others can reach");
    telemetry("listen without a port", "listen = '127.0.0.1'", "address");
    telemetry("listen to a name", "listen = 'example.com:80'", "address");
    telemetry("text file", "textfile = 'a.prom'", "absolute");
    telemetry("text file's name", "textfile = '/tmp/a.txt'", "node_exporter");
    telemetry("interval", "interval = '1ms'", "between a second");
    telemetry("label", "labels = ['user', 'pid']", "counted");
    telemetry("journal", "journal = 'some'", "journal");
    telemetry("journal's socket", "journal_socket = ''", "socket");
    row("socket mode", "socket_mode = \"0777\"", ":2:15:", "mode");
    row("socket mode as a number", "socket_mode = 660", ":2:15:", "mode");
    row("group as a number", "socket_group = 100", ":2:16:", "string");
    row("relative path", "[shared_memory.platform_options.linux]\nshm_path = \"shm\"",
        ":3:12:", "absolute");
    row("empty path", "[shared_memory.platform_options.linux]\nshm_path = \"\"",
        ":3:12:", "absolute");
    row("path with a zero", "[shared_memory.platform_options.linux]\nshm_path = \"/a\\u0000b\"",
        ":3:12:", "absolute");
    row("other platform's type", "[shared_memory.platform_options.windows]\nuse_large_pages = 1",
        ":3:19:", "true or false");
    row("section is a value", "platform_options = 3", ":2:1:", "not a table");
    row("permission", "[shared_memory.policy]\npermissions = { group = \"rx\" }",
        ":3:25:", "permission");
    row("rule without right", "[[shared_memory.policy.rules]]\nuser = \"a\"", ":2:", "nothing");
    row("right", "[[shared_memory.policy.rules]]\nallow = [\"run\"]", ":3:10:", "right");
    row("rule about a process", "[[shared_memory.policy.rules]]\nprocess = 1\nallow = [\"read\"]",
        ":3:1:", "process");
    row("role is a name", "[shared_memory.roles]\noperators = \"a\"", ":3:13:", "list");
    row("quota", "[shared_memory.quotas.a]\nmax_memory = \"much\"", ":3:14:", "size");
    row("quota is a number", "[shared_memory.quotas]\na = 3", ":3:5:", "not a table");
    row("alerts", "[shared_memory.alerts]\nenabled = 1", ":3:11:", "true or false");
    row("unknown key of alerts", "[shared_memory.alerts]\nweb_hook = \"\"", ":3:1:", "web_hook");
    row("command is a word", "[shared_memory.alerts]\ncommand = \"/bin/true\"", ":3:11:", "list");
    row("command is no path", "[shared_memory.alerts]\ncommand = [ \"mail\" ]",
        ":3:11:", "full path");
    row("webhook", "[shared_memory.alerts]\nwebhook = \"localhost:80\"", ":3:11:", "webhook");
    row("webhook without a host", "[shared_memory.alerts]\nwebhook = \"http:///x\"",
        ":3:11:", "webhook");
    row("severity", "[shared_memory.alerts]\nmin_severity = \"high\"", ":3:16:", "severity");
    row("array of sections", "[[shared_memory.platform_options.linux]]", ":2:", "not a table");
}

void TestConfig::what_is_wrong_is_named_with_its_place() {
    QFETCH(QByteArray, line);
    QFETCH(QByteArray, place);
    QFETCH(QByteArray, named);
    const auto config =
        Config::parse("[shared_memory]\n" + line.toStdString() + "\n", "a dir/test.toml");
    QVERIFY(!config);
    const auto& error = config.error();
    QCOMPARE(error.code, ErrorCode::configuration_invalid);
    QVERIFY2(error.message.find("a dir/test.toml" + place.toStdString()) == 0,
             error.message.c_str());
    QVERIFY2(error.message.find(named.toStdString()) != std::string::npos, error.message.c_str());
    QVERIFY(!error.remedy.empty());
}

void TestConfig::an_unknown_key_names_the_nearest_known_one_data() {
    QTest::addColumn<QByteArray>("text");
    QTest::addColumn<QByteArray>("place");
    QTest::addColumn<QByteArray>("nearest");
    const auto row = [](const char* text, const char* place, const char* nearest) {
        QTest::newRow(text) << QByteArray(text) << QByteArray(place) << QByteArray(nearest);
    };
    row("[shared_memory]\nmax_region = 5", ":2:1:", "'max_regions'");
    row("[shared_memory]\nmax_reigon_size = 5", ":2:1:", "'max_region_size'");
    row("[shared_memory]\n  cleanup_intervall = 5", ":2:3:", "'cleanup_interval'");
    row("[shared_memory]\nplatform_option.linux.shm_path = '/x'", ":2:1:", "'platform_options'");
    row("[shared_memory.platform_options.linus]\nshm_path = '/x'", ":1:33:", "'linux'");
    row("[shared_memory.platform_options.linux]\nshmpath = '/x'", ":2:1:", "'shm_path'");
    row("[shared_memory]\nquota.bob.max_regions = 1", ":2:1:", "'quotas'");
    row("[[shared_memory.policy.rules]]\nusr = 'a'", ":2:1:", "'user'");
    row("[shared_memory.roles]\nadmins = ['a']", ":2:1:", "'administrators'");
    row("[shared_memory.quotas.a]\nmax_region = 1", ":2:1:", "'max_regions'");
    row("[sharedmemory]\n", ":1:2:", "'shared_memory'");
    row("max_regions = 5", ":1:1:", "'shared_memory'");
}

void TestConfig::an_unknown_key_names_the_nearest_known_one() {
    QFETCH(QByteArray, text);
    QFETCH(QByteArray, place);
    QFETCH(QByteArray, nearest);
    const auto config = Config::parse(text.toStdString(), "test.toml");
    QVERIFY(!config);
    const auto sentence = config.error().sentence();
    QVERIFY2(sentence.find("test.toml" + place.toStdString() + " unknown") == 0, sentence.c_str());
    QVERIFY2(sentence.find(nearest.toStdString()) != std::string::npos, sentence.c_str());
}

void TestConfig::a_file_that_cannot_be_read_is_an_error() {
    const QTemporaryDir dir;
    for (const auto& path : {dir.filePath("absent.toml"), dir.path()}) {
        const auto config = Config::load(path.toStdString());
        QVERIFY(!config);
        QCOMPARE(config.error().code, ErrorCode::configuration_invalid);
        QVERIFY(config.error().message.find(path.toStdString()) != std::string::npos);
    }
}

void TestConfig::a_policy_roles_and_quotas_are_read_and_printed() {
    const auto config = parsed(R"(
[shared_memory.policy]
permissions = { group = "ro" }
audit = true
[[shared_memory.policy.rules]]
user = "alice"
program = "/usr/bin/reader"
allow = ["read", "manage"]
[[shared_memory.policy.rules]]
group = 100
allow = ["write"]
[shared_memory.roles]
administrators = ["root", "@adm"]
operators = [1000]
[shared_memory.quotas.bob]
max_regions = 3
max_memory = "1MiB"
[shared_memory.quotas."@sim"]
max_memory = 0
)");
    QCOMPARE(config.policy.permissions.group, Permission::read_only);
    QCOMPARE(config.policy.permissions.owner, Permission::read_write);
    QVERIFY(config.policy.audit && !config.policy.require_encryption);
    QCOMPARE(config.policy.rules.size(), std::size_t{2});
    QVERIFY(config.policy.rules[0].allow.has(Right::manage));
    QVERIFY(!config.policy.rules[0].allow.has(Right::write));
    QCOMPARE(config.policy.rules[1].group, std::string("100"));
    QCOMPARE(config.roles.administrators.at(1), std::string("@adm"));
    QCOMPARE(config.roles.operators.at(0), std::string("1000"));
    QVERIFY(config.quotas.at("bob") == (Quota{3, 1U << 20}));
    QVERIFY(config.quotas.at("@sim") == (Quota{std::nullopt, 0}));
    const auto printed = QJsonDocument::fromJson(QByteArray::fromStdString(config.to_json()));
    const auto section = printed.object()["shared_memory"].toObject();
    QCOMPARE(section["policy"]["rules"][0]["user"].toString(), QString("alice"));
    QCOMPARE(section["quotas"]["bob"]["max_memory"].toInt(), 1 << 20);
    QCOMPARE(section["roles"]["operators"][0].toString(), QString("1000"));
}

void TestConfig::who_is_told_of_alerts_is_read_and_printed() {
    const auto config = parsed(
        "[shared_memory.alerts]\nenabled = false\njournal = false\ncommand = ['/bin/a', '-b']\n"
        "webhook = 'https://host:1/x'\nmin_severity = 'critical'\n");
    const AlertOptions wanted{
        false, false, {"/bin/a", "-b"}, "https://host:1/x", AlertSeverity::critical};
    QVERIFY(config.alerts == wanted);
    const auto again = parsed("[shared_memory.alerts]\n");
    QVERIFY(again.alerts == AlertOptions());
    const auto printed = QJsonDocument::fromJson(QByteArray::fromStdString(config.to_json()));
    const auto section = printed["shared_memory"]["alerts"];
    QCOMPARE(section["command"][1].toString(), QString("-b"));
    QCOMPARE(section["min_severity"].toString(), QString("critical"));
    QCOMPARE(section["journal"].toBool(true), false);
}

void TestConfig::a_configuration_prints_the_specifications_keys_as_json() {
    auto config =
        parsed("[shared_memory]\nsecurity_level = 'maximum'\nallocation_strategy = 'first_fit'\n");
    config.shm_path = "/a \"b\"";
    const auto document = QJsonDocument::fromJson(QByteArray::fromStdString(config.to_json()));
    QVERIFY(document.isObject());
    const auto values = document.object()["shared_memory"].toObject();
    QCOMPARE(values["security_level"].toString(), QString("maximum"));
    QCOMPARE(values["allocation_strategy"].toString(), QString("first_fit"));
    QCOMPARE(values["enabled"].toBool(), true);
    QCOMPARE(values["max_total_memory"].toInteger(), 10'737'418'240);
    QCOMPARE(values["cleanup_interval"].toInteger(), 60'000);
    QCOMPARE(values["platform_options"].toObject()["linux"].toObject()["shm_path"].toString(),
             QString("/a \"b\""));
    QCOMPARE(values.size(), 33);
}

void TestConfig::only_keys_that_cannot_change_while_running_need_a_restart() {
    const Config before;
    auto after = before;
    QVERIFY(after.needs_restart(before).empty());
    after.max_regions = 5;
    after.cleanup_interval_ms = 500;
    QVERIFY(after.needs_restart(before).empty());
    after.shm_path = "/mnt";
    after.use_hugepages = true;
    QCOMPARE(after.needs_restart(before), (std::vector<std::string>{"use_hugepages", "shm_path"}));
}

void TestConfig::telemetry_goes_where_it_is_told_and_to_loopback_unless_told_otherwise() {
    const TelemetryOptions untouched = parsed("").telemetry;
    QVERIFY(untouched == TelemetryOptions{});
    QVERIFY(untouched.listen.empty() && untouched.textfile.empty());
    const auto config = parsed(R"(
[shared_memory.telemetry]
listen = "[::1]:9847"
textfile = "/var/lib/x.prom"
interval = "1m"
labels = ["worker", "user", "worker"]
journal = "all"
journal_socket = "/run/systemd/journal.shm/socket"
)");
    QCOMPARE(config.telemetry.host, std::string("::1"));
    QCOMPARE(config.telemetry.port, std::uint16_t{9847});
    QCOMPARE(config.telemetry.interval_ms, std::int64_t{60'000});
    QCOMPARE(config.telemetry.labels, (std::vector<std::string>{"worker", "user"}));
    QCOMPARE(config.telemetry.journal, JournalChoice::everything);
    QCOMPARE(parsed("[shared_memory.telemetry]\nlisten='localhost:0'").telemetry.host,
             std::string("127.0.0.1"));
    // In either order.
    for (const auto* text :
         {"listen='10.1.2.3:1'\nallow_remote=true", "allow_remote=true\nlisten='10.1.2.3:1'"})
        QCOMPARE(parsed(std::string("[shared_memory.telemetry]\n") + text).telemetry.host,
                 std::string("10.1.2.3"));
    QCOMPARE(parsed("[shared_memory.telemetry]\njournal=false").telemetry.journal,
             JournalChoice::off);
    const auto printed = QJsonDocument::fromJson(QByteArray::fromStdString(config.to_json()));
    const auto section = printed.object()["shared_memory"].toObject()["telemetry"].toObject();
    QCOMPARE(section["listen"].toString(), QString("[::1]:9847"));
    QCOMPARE(section["journal"].toString(), QString("all"));
    QCOMPARE(section["labels"].toArray().size(), 2);
    QVERIFY(config.needs_restart(Config{}).empty());
}

QTEST_APPLESS_MAIN(TestConfig)
#include "tst_config.moc"
