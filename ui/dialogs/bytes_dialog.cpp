// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/dialogs/bytes_dialog.h"

#include <QCheckBox>
#include <QClipboard>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLineEdit>
#include <QMenu>
#include <QShortcut>
#include <QTableWidget>
#include <QTimer>
#include <QVBoxLayout>

#include "ui/icons.h"
#include "ui/models/byte_text.h"
#include "ui/models/format.h"
#include "ui/pages/hex_view.h"
#include "ui/pages/widgets.h"

namespace snakepit::shm::ui {

namespace {

constexpr QSize kWanted{1080, 680};
constexpr int kFollowMillis = 500;
constexpr int kValuesWidth = 372;
constexpr int kMostBytesOfType = 8;
constexpr std::size_t kSearched = std::size_t{1} << 20;        // bytes read at once
constexpr std::uint64_t kMostCopied = std::uint64_t{1} << 20;  // bytes

QString title_of(const RegionInfo& region) {
    const auto id = QString::fromStdString(region.id.str());
    return region.name.empty() ? id : u"%1 (%2)"_s.arg(to_qstring(region.name), id);
}

}  // namespace

// Used by the worker.
struct BytesDialog::Reader {
    Reader(std::shared_ptr<ManagerPort> port, RegionInfo info)
        : manager(std::move(port)), region(std::move(info)) {}

    Result<std::string> read(std::uint64_t offset, std::size_t size) {
        if (!bytes) {
            SHM_ASSIGN(bytes, manager->bytes_of(region.id));
        }
        auto got = bytes->read(offset, size);
        if (!got) bytes.reset();  // the next look connects again
        return got;
    }

    std::shared_ptr<ManagerPort> manager;
    RegionInfo region;
    std::unique_ptr<ByteSource> bytes;
};

BytesDialog::BytesDialog(Workspace& workspace, const RegionInfo& region, QWidget* parent)
    : TaskDialog(workspace, tr("Bytes of %1").arg(title_of(region)),
                 region.audit_access ? tr("This region is audited: every read is recorded.")
                 : region.security_level != SecurityLevel::standard
                     ? tr("Read-only. Decrypted for this window only.")
                     : tr("Read-only. Bytes that change are marked for two seconds."),
                 parent),
      region_(region),
      reader_(std::make_shared<Reader>(workspace.manager_port(), region)),
      view_(new HexView),
      offset_(new QLineEdit),
      needle_(new QLineEdit),
      follow_(new QCheckBox(tr("Follow changes"))),
      place_(make_line({}, "muted")),
      clock_(new QTimer(this)),
      soon_(new QTimer(this)),
      background_(u"reading bytes"_s) {
    resize(kWanted);
    build_tools();
    build_values();
    build_copy();
    closer()->setText(tr("Close"));
    set_command(workspace.command(u"dump %1"_s.arg(QString::fromStdString(region.id.str()))));
    view_->set_size(region.size);
    // One look when it is laid out, however often its size changed for that.
    soon_->setSingleShot(true);
    connect(view_, &HexView::wanted, soon_, qOverload<>(&QTimer::start));
    connect(soon_, &QTimer::timeout, this, [this] {
        if (!failed_) look();  // the words about a failure change the size, too
    });
    connect(view_, &HexView::cursor_moved, this, &BytesDialog::show_values);
    clock_->setInterval(kFollowMillis);
    connect(clock_, &QTimer::timeout, this, [this] {
        if (isVisible()) look();
    });
    connect(follow_, &QCheckBox::toggled, this, &BytesDialog::set_following);
    follow_->setChecked(!region.audit_access);
    view_->setFocus();
}

void BytesDialog::build_tools() {
    offset_->setAccessibleName(tr("Go to offset"));
    offset_->setPlaceholderText(tr("Offset (0x1000)"));
    connect(offset_, &QLineEdit::returnPressed, this, [this] { go_to(offset_->text()); });
    needle_->setAccessibleName(tr("Search"));
    needle_->setPlaceholderText(tr("Search: text, or bytes such as 0x1aff"));
    connect(needle_, &QLineEdit::returnPressed, this, [this] { search(needle_->text()); });
    // Every piece that is read would be one more record.
    allow(needle_, true,
          region_.audit_access ? tr("Every read of an audited region is recorded.") : QString());
    const auto on_key = [this](QKeySequence::StandardKey key, auto act) {
        auto* shortcut = new QShortcut(key, view_);
        shortcut->setContext(Qt::WidgetShortcut);
        connect(shortcut, &QShortcut::activated, this, act);
    };
    on_key(QKeySequence::Copy, [this] { copy_selection(hex_text); });
    on_key(QKeySequence::SelectAll, [this] { view_->select_all(); });
    auto* refresh = make_tool(u"refresh"_s, tr("Refresh"), u"F5"_s);
    connect(refresh, &QToolButton::clicked, this, &BytesDialog::look);
    body()->addLayout(make_row({offset_, needle_, follow_, refresh}, needle_));
}

void BytesDialog::build_values() {
    auto* beside = new QWidget;
    auto* column = new QVBoxLayout(beside);
    column->setContentsMargins(0, 0, 0, 0);
    values_ = make_table({{tr("Type"), 66}, {tr("Little-endian"), 152}, {tr("Big-endian"), 152}},
                         tr("Values at the cursor"));
    column->addWidget(place_);
    column->addWidget(values_, 1);
    beside->setFixedWidth(kValuesWidth);
    auto* row = new QHBoxLayout;
    row->setSpacing(12);
    row->addWidget(new Card(view_), 1);
    row->addWidget(beside);
    body()->addLayout(row, 1);
    add_command_line();
}

void BytesDialog::build_copy() {
    copy_ = make_button(u"copy"_s, tr("Copy"));
    copy_->setAutoDefault(false);
    auto* menu = new QMenu(copy_);
    menu->addAction(tr("As hexadecimal"), this, [this] { copy_selection(hex_text); });
    menu->addAction(tr("As text"), this, [this] {
        copy_selection([](const QByteArray& bytes) { return QString::fromUtf8(bytes); });
    });
    menu->addAction(tr("As a C array"), this, [this] { copy_selection(c_array); });
    copy_->setMenu(menu);
    add_action(copy_);
}

void BytesDialog::set_following(bool following) {
    follow_->setChecked(following);
    if (following)
        clock_->start();
    else
        clock_->stop();
}

// One look at a time; what is in sight by then is looked at next.
void BytesDialog::look() {
    if (looking_) {
        look_again_ = true;
        return;
    }
    looking_ = true;
    background_.run(
        this,
        [reader = reader_, offset = view_->first(), count = view_->count()] {
            return std::pair(offset, reader->read(offset, count));
        },
        [this](const std::pair<std::uint64_t, Result<std::string>>& found) {
            looking_ = false;
            const auto& [offset, bytes] = found;
            if (bytes) {
                if (std::exchange(failed_, false)) set_message({}, Severity::none);
                view_->show_bytes(offset, QByteArray::fromStdString(*bytes));
            } else {
                failed_ = true;
                set_following(
                    false);  // each try is a connection, and may be a refusal that is recorded
                set_message(error_text(bytes.error()), Severity::bad);
            }
            Q_EMIT read_done(bytes.has_value());
            if (std::exchange(look_again_, false) && !failed_) look();
        });
}

void BytesDialog::show_values() {
    const auto [begin, count] = view_->selection();
    say(place_, count > 1 ? tr("%1 bytes selected at 0x%2 (%3)")
                                .arg(count_text(count))
                                .arg(begin, 0, 16)
                                .arg(begin)
                          : tr("Byte 0x%1 (%2)").arg(begin, 0, 16).arg(begin));
    const auto values = typed_values(view_->at_cursor(kMostBytesOfType));
    values_->setRowCount(static_cast<int>(values.size()));
    for (int row = 0; row < values.size(); ++row)
        set_row(
            values_, row,
            {{values[row].type}, number_cell(values[row].little), number_cell(values[row].big)});
}

void BytesDialog::go_to(const QString& offset) {
    const auto wanted = parse_offset(offset);
    if (!wanted || *wanted >= region_.size) {
        set_message(
            tr("'%2' is not a valid offset. Use 0 to %1.").arg(region_.size - 1).arg(offset),
            Severity::caution);
        return;
    }
    set_message({}, Severity::none);
    view_->set_cursor(*wanted);
}

// A piece at a time, so that looks come in between: from behind the cursor to the end, and from the
// beginning on.
void BytesDialog::search(const QString& what) {
    const auto needle = parse_needle(what);
    if (needle.isEmpty() || !needle_->isEnabled()) return;
    set_message(tr("Searching…"), Severity::info);
    search_ = {what, needle.toStdString(), view_->cursor() + 1, region_.size, false, ++searches_};
    search_on();
}

void BytesDialog::search_on() {
    const auto size = std::min<std::uint64_t>(kSearched + search_.needle.size() - 1,
                                              search_.end - std::min(search_.end, search_.at));
    if (size < search_.needle.size()) {
        if (std::exchange(search_.again, true)) return search_ended(std::nullopt);
        search_.end = std::min(region_.size, view_->cursor() + search_.needle.size());
        search_.at = 0;
        return search_on();
    }
    background_.run(
        this,
        [reader = reader_, at = search_.at, size] {
            return reader->read(at, static_cast<std::size_t>(size));
        },
        [this, number = search_.number](const Result<std::string>& part) {
            if (number != search_.number) return;  // another one has begun
            if (!part) return search_ended(std::nullopt, &part.error());
            if (const auto found = part->find(search_.needle); found != part->npos)
                return search_ended(search_.at + found);
            search_.at += kSearched;
            search_on();
        });
}

void BytesDialog::search_ended(std::optional<std::uint64_t> found, const Error* error) {
    if (error)
        set_message(error_text(*error), Severity::bad);
    else if (!found)
        set_message(tr("'%1' was not found.").arg(search_.what), Severity::caution);
    else
        set_message({}, Severity::none);
    if (found) view_->select(*found, search_.needle.size());
    Q_EMIT search_done(found.has_value());
}

// Read again: all of it need not be in sight.
void BytesDialog::copy_selection(QString (*format)(const QByteArray&)) {
    const auto [begin, count] = view_->selection();
    if (count > kMostCopied) {
        set_message(
            tr("Cannot copy more than 1 MiB. Use 'snakepit-shm dump' to save the region to a "
               "file."),
            Severity::caution);
        return;
    }
    background_.run(
        this,
        [reader = reader_, offset = begin, size = static_cast<std::size_t>(count)] {
            return reader->read(offset, size);
        },
        [this, format](const Result<std::string>& bytes) {
            if (bytes)
                QGuiApplication::clipboard()->setText(format(QByteArray::fromStdString(*bytes)));
            else
                set_message(error_text(bytes.error()), Severity::bad);
        });
}

}  // namespace snakepit::shm::ui
