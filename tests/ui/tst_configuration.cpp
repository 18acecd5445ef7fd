// SPDX-License-Identifier: GPL-3.0-or-later
// The settings of the manager: shown with their meaning and origin, checked while they are typed,
// changed, and undone.
#include <QComboBox>
#include <QLineEdit>
#include <QTemporaryDir>
#include <QToolButton>
#include <set>

#include "config/config.h"
#include "config/config_edit.h"
#include "patience.h"
#include "rich_fixture.h"
#include "ui/dialogs/setting_dialog.h"
#include "ui/models/configuration_model.h"
#include "ui/pages/configuration_page.h"

namespace snakepit::shm::ui {

namespace {

// A file, and a manager that reads it at once or not.
class FileConfiguration : public ConfigurationPort {
  public:
    explicit FileConfiguration(std::string file) : file_(std::move(file)) {}
    Result<Configuration> read() override {
        SHM_ASSIGN(const auto text, read_configuration(file_));
        return describe_configuration(file_, text, active);
    }
    Result<SettingChange> set(const std::string& key, const std::string& literal) override {
        SHM_TRY(set_in_file(file_, key, literal));
        if (refusal) return SettingChange{file_, false, refusal};
        SHM_ASSIGN(const auto config, Config::load(file_));
        active = config.to_json();
        return SettingChange{file_, true};
    }
    std::string active = Config{}.to_json();
    std::optional<Error> refusal;  // of the manager that should read the file

  private:
    std::string file_;
};

const Setting& setting(const Configuration& configuration, std::string_view key) {
    static const Setting none;
    for (const auto& one : configuration.settings)
        if (one.key == key) return one;
    return none;
}

// A window with a configuration file of the test's own.
struct Settings {
    Settings()
        : file(directory.filePath(QStringLiteral("shm.toml")).toStdString()),
          port(std::make_shared<FileConfiguration>(file)),
          manager(std::make_shared<SyntheticManager>(world)),
          workspace(QStringLiteral("default"), parts()),
          page(workspace) {
        page.resize(1100, 700);
        page.show();
        load();
    }
    Workspace::Parts parts() {
        Workspace::Parts out;
        out.regions = std::make_unique<SyntheticRegions>(world, 0);
        out.events = [this] { return std::make_unique<SyntheticEvents>(world, 0); };
        out.manager = manager;
        out.audit = std::make_shared<SyntheticAudit>();
        out.configuration = port;
        return out;
    }
    void load() {
        QSignalSpy loaded(&page, &ConfigurationPage::loaded);
        page.hide();
        page.show();
        QVERIFY(loaded.wait(60'000));
    }
    TableView& table() { return *page.findChild<TableView*>(); }
    void select(const QString& key) {
        auto* model = table().model();
        for (int row = 0; row < model->rowCount(); ++row)
            if (model->index(row, kSettingKey).data().toString() == key) table().selectRow(row);
    }
    SettingDialog* change(const QString& key) {
        select(key);
        button(page, QStringLiteral("Change…"))->click();
        return page.window()->findChild<SettingDialog*>();
    }
    QString cell(const QString& key, int column) {
        auto* model = table().model();
        for (int row = 0; row < model->rowCount(); ++row)
            if (model->index(row, kSettingKey).data().toString() == key)
                return model->index(row, column).data().toString();
        return QStringLiteral("(not shown)");
    }

    QTemporaryDir directory;
    std::string file;
    std::shared_ptr<FileConfiguration> port;
    SyntheticWorld world{5};
    std::shared_ptr<SyntheticManager> manager;
    Workspace workspace;
    ConfigurationPage page;
};

}  // namespace

class TestConfiguration : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void every_key_has_a_meaning_and_its_origin() {
        const auto text =
            "[shared_memory]\nmax_regions = 5000\n[shared_memory.telemetry]\nlisten = "
            "\"127.0.0.1:9500\"\n[shared_memory.quotas.default]\nmax_regions = 7\n";
        const auto shown = describe_configuration("shm.toml", text, Config{}.to_json());
        QVERIFY(shown);
        QVERIFY(shown->settings.size() > 40);
        std::set<std::string> set;
        for (const auto& one : shown->settings) {
            QVERIFY2(!one.meaning.isEmpty(), one.key.c_str());
            QVERIFY2(!one.meaning.contains(QLatin1Char('`')), one.key.c_str());
            if (one.in_file) set.insert(one.key);
        }
        QCOMPARE(set, (std::set<std::string>{"max_regions", "telemetry.listen",
                                             "quotas.default.max_regions"}));
        const auto& regions = setting(*shown, "max_regions");
        QCOMPARE(regions.value.toInteger(), 5000);
        QCOMPARE(regions.standard.toInteger(), 1000);
        QVERIFY(differs_from_active(regions));
        QVERIFY(!regions.waits);
        QVERIFY(setting(*shown, "socket_mode").waits);
        QVERIFY(setting(*shown, "platform_options.linux.shm_path").waits);
        QCOMPARE(setting_text(setting(*shown, "grace_period"), 5000), QStringLiteral("5 s"));
        QCOMPARE(setting_text(setting(*shown, "arena_size"), 64 << 20), QStringLiteral("64 MiB"));
        const auto damaged = describe_configuration("shm.toml", "[shared_memory]\nmax = 1\n", {});
        QVERIFY(!damaged && damaged.error().message.find("shm.toml:2:1") != std::string::npos);
    }

    void every_value_can_be_set_as_it_is() {
        const auto shown = describe_configuration("shm.toml", {}, {});
        QVERIFY(shown);
        for (const auto& one : shown->settings) {
            const auto changed = with_key({}, one.key, literal_text(one.value).toStdString(), "x");
            QVERIFY2(changed, qPrintable(QString::fromStdString(one.key) + u": "_s +
                                         literal_text(one.value)));
        }
    }

    void a_change_is_checked_written_applied_and_undone() {
        Settings settings;
        QCOMPARE(settings.cell(QStringLiteral("max_regions"), kSettingOrigin),
                 QStringLiteral("default"));
        auto* dialog = settings.change(QStringLiteral("max_regions"));
        QVERIFY(dialog);
        auto* line = dialog->findChild<QLineEdit*>();
        auto* run = button(*dialog, QStringLiteral("Change"));
        QVERIFY(line && run);
        line->setText(QStringLiteral("many"));
        QVERIFY(!run->isEnabled());
        QVERIFY(says(*dialog, QStringLiteral("number of regions")));
        line->setText(QStringLiteral("50"));  // fewer than a process may have: that follows
        line->setText(QStringLiteral("2500"));
        QVERIFY(run->isEnabled());
        QCOMPARE(command_of(*dialog), QStringLiteral("snakepit-shm config set max_regions 2500"));
        keep(*dialog, QStringLiteral("setting"));
        run->click();
        QTRY_COMPARE_WITH_TIMEOUT(settings.cell(QStringLiteral("max_regions"), kSettingOrigin),
                                  QStringLiteral("file"), kPatienceMs);
        QCOMPARE(Config::load(settings.file)->max_regions, 2500U);
        QVERIFY(says(settings.page, QStringLiteral("in effect")));
        keep(settings.page, QStringLiteral("settings"));
        auto* undo = button(settings.page, QStringLiteral("Undo"));
        QVERIFY(undo);
        undo->click();
        QTRY_COMPARE_WITH_TIMEOUT(Config::load(settings.file)->max_regions, 1000U, kPatienceMs);
        QTRY_VERIFY_WITH_TIMEOUT(!undo->isVisible(), kPatienceMs);
    }

    void what_does_not_fit_the_rest_of_the_file_is_refused_and_loses_nothing() {
        Settings settings;
        QVERIFY(set_in_file(settings.file, "max_region_size", "1GiB"));
        settings.load();
        auto* dialog = settings.change(QStringLiteral("max_total_memory"));
        QVERIFY(dialog);
        auto* line = dialog->findChild<QLineEdit*>();
        line->setText(QStringLiteral("1MiB"));
        QVERIFY(!button(*dialog, QStringLiteral("Change"))->isEnabled());
        QVERIFY(says(*dialog, QStringLiteral("larger than max_total_memory")));
        QCOMPARE(Config::load(settings.file)->max_total_memory, 10ULL << 30);
    }

    void what_another_program_changed_meanwhile_is_not_overwritten() {
        Settings settings;
        auto* dialog = settings.change(QStringLiteral("max_regions"));
        QVERIFY(dialog);
        dialog->findChild<QLineEdit*>()->setText(QStringLiteral("2500"));
        QVERIFY(set_in_file(settings.file, "max_regions", "777"));
        button(*dialog, QStringLiteral("Change"))->click();
        QTRY_VERIFY_WITH_TIMEOUT(says(*dialog, QStringLiteral("since it was shown")), kPatienceMs);
        QCOMPARE(Config::load(settings.file)->max_regions, 777U);
    }

    void what_another_program_changed_meanwhile_is_not_undone() {
        Settings settings;
        auto* dialog = settings.change(QStringLiteral("grace_period"));
        QVERIFY(dialog);
        dialog->findChild<QLineEdit*>()->setText(QStringLiteral("9s"));
        button(*dialog, QStringLiteral("Change"))->click();
        QTRY_VERIFY_WITH_TIMEOUT(button(settings.page, QStringLiteral("Undo")), kPatienceMs);
        QVERIFY(set_in_file(settings.file, "grace_period", "11s"));
        button(settings.page, QStringLiteral("Undo"))->click();
        QTRY_VERIFY_WITH_TIMEOUT(says(settings.page, QStringLiteral("since it was shown")),
                                 kPatienceMs);
        QCOMPARE(Config::load(settings.file)->grace_period_ms, 11'000);
    }

    void a_manager_that_does_not_apply_it_is_named() {
        Settings settings;
        settings.port->refusal =
            make_error(ErrorCode::permission_denied, "only its user may reload", "ask them");
        auto* dialog = settings.change(QStringLiteral("max_regions"));
        QVERIFY(dialog);
        dialog->findChild<QLineEdit*>()->setText(QStringLiteral("2500"));
        button(*dialog, QStringLiteral("Change"))->click();
        QTRY_VERIFY_WITH_TIMEOUT(
            says(settings.page, QStringLiteral("the manager did not apply it")), kPatienceMs);
        QVERIFY(says(settings.page, QStringLiteral("only its user may reload")));
        QCOMPARE(Config::load(settings.file)->max_regions, 2500U);
    }

    void a_key_that_takes_a_word_or_a_flag_takes_both_data() {
        QTest::addColumn<QString>("typed");
        QTest::newRow("flag") << "false";
        QTest::newRow("word") << "all";
    }

    void a_key_that_takes_a_word_or_a_flag_takes_both() {
        QFETCH(QString, typed);
        Settings settings;
        auto* dialog = settings.change(QStringLiteral("telemetry.journal"));
        QVERIFY(dialog);
        dialog->findChild<QLineEdit*>()->setText(typed);
        auto* run = button(*dialog, QStringLiteral("Change"));
        QVERIFY2(run->isEnabled(), qPrintable(typed));
        run->click();
        QTRY_COMPARE_WITH_TIMEOUT(
            settings.cell(QStringLiteral("telemetry.journal"), kSettingOrigin),
            QStringLiteral("file"), kPatienceMs);
        QVERIFY(Config::load(settings.file).has_value());
    }

    void text_that_looks_like_a_number_stays_text() {
        Settings settings;
        auto* dialog = settings.change(QStringLiteral("socket_mode"));
        QVERIFY(dialog);
        dialog->findChild<QLineEdit*>()->setText(QStringLiteral("0660"));
        QVERIFY(says(*dialog, QStringLiteral("when the manager starts next")));
        button(*dialog, QStringLiteral("Change"))->click();
        QTRY_COMPARE_WITH_TIMEOUT(settings.cell(QStringLiteral("socket_mode"), kSettingOrigin),
                                  QStringLiteral("file"), kPatienceMs);
        QCOMPARE(Config::load(settings.file)->socket_mode, std::string("0660"));
        QVERIFY(says(settings.page, QStringLiteral("starts next")));
    }

    void words_find_settings_by_meaning_too() {
        Settings settings;
        auto* words = settings.page.findChild<QLineEdit*>();
        words->setText(QStringLiteral("webhook"));
        QCOMPARE(settings.table().model()->rowCount(), 1);
        words->setText(QStringLiteral("group members connect"));
        QVERIFY(settings.table().model()->rowCount() >= 1);
        words->setText(QStringLiteral("no setting has this"));
        QVERIFY(says(settings.page, QStringLiteral("No setting matches")));
    }

    void a_file_that_cannot_be_read_is_said() {
        Settings settings;
        QFile file(QString::fromStdString(settings.file));
        QVERIFY(file.open(QIODevice::WriteOnly) && file.write("[shared_memory\n") > 0);
        file.close();
        settings.load();
        QCOMPARE(settings.table().model()->rowCount(), 0);
        QVERIFY(says(settings.page, QStringLiteral("could not be loaded")));
    }

    void without_a_configuration_the_page_says_so() {
        RichFixture fixture;  // has none
        fixture.window.show_page(QStringLiteral("settings"));
        QVERIFY(says(fixture.window, QStringLiteral("No settings are shown")));
    }
};

}  // namespace snakepit::shm::ui

QTEST_MAIN(snakepit::shm::ui::TestConfiguration)
#include "tst_configuration.moc"
