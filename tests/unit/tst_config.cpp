// SPDX-License-Identifier: MIT
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QTemporaryDir>
#include <QtTest>

#include <fstream>

#include "config/config.h"

using namespace snakepit::shm;

class TestConfig : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void no_file_and_an_empty_file_give_the_specifications_defaults();
    void the_specifications_advanced_example_is_understood();
    void sizes_and_durations_are_numbers_or_text();
    void a_default_gives_way_to_what_was_given();
    void who_may_connect_and_what_memory_is_made_of_is_said_in_words();
    void a_policy_roles_and_quotas_are_read_and_printed();
    void who_is_told_of_alerts_is_read_and_printed();
    void a_configuration_prints_the_specifications_keys_as_json();
    void the_origin_log_records_what_the_configuration_says();
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
        QCOMPARE(config->event_retention_ms, std::int64_t{30} * 86'400'000);
        QCOMPARE(config->event_max_size, std::uint64_t{1} << 30);
        QVERIFY(!config->quarantine_automatic);
        QCOMPARE(config->max_regions_per_user, 0U);
        QCOMPARE(config->shm_path, std::string("/dev/shm"));
    }
}

void TestConfig::a_default_gives_way_to_what_was_given() {
    const auto memory = parsed("[shared_memory]\nmax_total_memory = \"30MiB\"\n");
    QCOMPARE(memory.max_region_size, std::uint64_t{30} << 20);
    QVERIFY(
        !Config::parse("[shared_memory]\nmax_total_memory = \"30MiB\"\n"
                       "max_region_size = \"31MiB\"\n",
                       "test.toml"));
    const auto regions = parsed("[shared_memory]\nmax_regions = 40\n");
    QCOMPARE(regions.max_regions_per_process, 40U);
    QVERIFY(!Config::parse("[shared_memory]\nmax_regions = 40\nmax_regions_per_process = 41\n",
                           "test.toml"));
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
    QCOMPARE(values["host_origins"].toString(), QString("creators"));
    QCOMPARE(values.size(), 36);
}

void TestConfig::the_origin_log_records_what_the_configuration_says() {
    QCOMPARE(Config{}.host_origins, HostOrigins::creators);
    QCOMPARE(parsed("[shared_memory]\nhost_origins = 'off'\n").host_origins, HostOrigins::off);
    QCOMPARE(parsed("[shared_memory]\nhost_origins = 'commands'\n").host_origins,
             HostOrigins::commands);
    const auto wrong = Config::parse("[shared_memory]\nhost_origins = 'all'\n", "file");
    QVERIFY(!wrong);
    QCOMPARE(wrong.error().code, ErrorCode::configuration_invalid);
    QVERIFY(wrong.error().remedy.find("creators") != std::string::npos);
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
