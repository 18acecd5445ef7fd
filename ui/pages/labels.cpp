// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/pages/labels.h"

#include <QClipboard>
#include <QContextMenuEvent>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QKeyEvent>
#include <QMenu>
#include <QPainter>
#include <QTextLayout>
#include <algorithm>

#include "ui/icons.h"
#include "ui/models/visible_text.h"
#include "ui/models/worker_names.h"
#include "ui/pages/widgets.h"
#include "ui/theme.h"

namespace snakepit::shm::ui {

namespace {

constexpr int kCommandLines = 3;
constexpr int kOneLine = static_cast<int>(Qt::AlignVCenter | Qt::AlignLeft) | Qt::TextSingleLine |
                         Qt::TextForceLeftToRight;
constexpr int kWidestCommand = 640;  // pixels, before a layout gives it more
constexpr auto kReadable = Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard;

void copy(const QString& text, QClipboard::Mode mode = QClipboard::Clipboard) {
    QGuiApplication::clipboard()->setText(unbroken(text), mode);
}

// Copies what is selected without the marks where long words may be broken.
class Words final : public QLabel {
  public:
    explicit Words(Qt::TextFormat format) {
        setTextFormat(format);
        setWordWrap(true);
        setTextInteractionFlags(kReadable);
    }

  protected:
    void keyPressEvent(QKeyEvent* event) override {
        event->matches(QKeySequence::Copy) ? copy(selectedText()) : QLabel::keyPressEvent(event);
    }
    void mouseReleaseEvent(QMouseEvent* event) override {
        QLabel::mouseReleaseEvent(event);
        if (hasSelectedText() && QGuiApplication::clipboard()->supportsSelection())
            copy(selectedText(), QClipboard::Selection);
    }
    void contextMenuEvent(QContextMenuEvent* event) override {
        QMenu menu(this);
        menu.addAction(icon(u"copy"_s), QObject::tr("Copy"), this, [this] { copy(selectedText()); })
            ->setEnabled(hasSelectedText());
        menu.exec(event->globalPos());
    }
};

QLabel* named(QLabel* label, const char* object_name) {
    if (object_name) label->setObjectName(QString::fromLatin1(object_name));
    return label;
}

void show_text(QLabel* label, const QString& text) {
    const auto shown = label->wordWrap() ? breakable(text) : text;
    if (label->text() != shown) label->setText(shown);
}

}  // namespace

QLabel* make_label(const QString& text, const char* object_name) {
    auto* label = named(new QLabel, object_name);
    label->setTextFormat(Qt::PlainText);
    label->setText(visible_text(text));
    return label;
}

QLabel* make_sign() {
    return make_label({});
}

QLabel* make_words(const char* object_name) {
    return named(new Words(Qt::PlainText), object_name);
}

QLabel* make_words(const QString& text, const char* object_name) {
    auto* label = make_words(object_name);
    say(label, text);
    return label;
}

QLabel* make_html(const char* object_name) {
    return named(new Words(Qt::RichText), object_name);
}

void say(QLabel* label, const QString& text) {
    if (label->textFormat() != Qt::RichText) return show_text(label, visible_text(text));
    if (label->text() != text) label->setText(text);
}

void say_lines(QLabel* label, const QString& text) {
    show_text(label, visible_lines(text));
}

void set_tooltip(QWidget* widget, const QString& text) {
    widget->setToolTip(tooltip_text(text));
}

QString muted_html(const QString& text) {
    return u"<span style='color:%1'>%2</span>"_s.arg(colours().muted.name(), html_text(text));
}

QString pid_html(std::int64_t pid) {
    const auto worker = worker_name(pid);
    const auto text = QString::number(pid);
    return muted_html(worker.isEmpty() ? text : u"%1 (%2)"_s.arg(text, worker));
}

QLabel* make_problem() {
    auto* label = make_label({}, "problem");
    label->setWordWrap(true);
    label->hide();
    return label;
}

void show_problem(QLabel* label, const QString& problem) {
    label->setVisible(!problem.isEmpty());
    say(label, problem);
}

ElidedLabel::ElidedLabel(Qt::TextElideMode mode) : mode_(mode) {
    setTextFormat(Qt::PlainText);
}

void ElidedLabel::set_text(const QString& text) {
    say(this, text);
    show_tooltip();
}

void ElidedLabel::show_tooltip() {
    const bool fits = fontMetrics().horizontalAdvance(text()) <= contentsRect().width();
    set_tooltip(this, fits ? QString() : text());
}

void ElidedLabel::resizeEvent(QResizeEvent* event) {
    QLabel::resizeEvent(event);
    show_tooltip();
}

void ElidedLabel::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.setPen(palette().color(QPalette::WindowText));
    const auto box = contentsRect();
    painter.drawText(box, static_cast<int>(Qt::AlignVCenter | Qt::AlignLeft),
                     fontMetrics().elidedText(text(), mode_, box.width()));
}

ElidedLabel* make_line(const QString& text, const char* object_name) {
    auto* label = new ElidedLabel(Qt::ElideRight);
    named(label, object_name);
    label->set_text(text);
    return label;
}

CommandText::CommandText() {
    setObjectName(u"command"_s);
    setTextFormat(Qt::PlainText);
    setFont(Theme::instance().monospace());
    setAccessibleName(tr("Equivalent command"));
    auto policy = sizePolicy();
    policy.setHeightForWidth(true);
    setSizePolicy(policy);
}

void CommandText::set_command(const QString& command) {
    if (text() == command) return;
    setText(command);
    set_tooltip(this, command);
    updateGeometry();
}

// Broken at words where that is possible. The last of too many lines ends with an ellipsis.
QStringList CommandText::lines(int width) const {
    QTextOption option;
    option.setWrapMode(QTextOption::WrapAtWordBoundaryOrAnywhere);
    option.setTextDirection(Qt::LeftToRight);
    QTextLayout layout(text(), font());
    layout.setTextOption(option);
    QStringList out;
    layout.beginLayout();
    for (auto line = layout.createLine(); line.isValid(); line = layout.createLine()) {
        line.setLineWidth(std::max(width, 1));
        if (out.size() == kCommandLines) {
            out.last() = fontMetrics().elidedText(out.last() + text().mid(line.textStart()),
                                                  Qt::ElideRight, width);
            break;
        }
        out << text().mid(line.textStart(), line.textLength());
    }
    layout.endLayout();
    return out;
}

int CommandText::around_height() const {
    return contentsMargins().top() + contentsMargins().bottom();
}

int CommandText::heightForWidth(int width) const {
    const auto room = width - contentsMargins().left() - contentsMargins().right();
    const auto count = std::max<int>(1, static_cast<int>(lines(room).size()));
    return count * fontMetrics().lineSpacing() + around_height();
}

QSize CommandText::sizeHint() const {
    const auto width = std::min(fontMetrics().horizontalAdvance(text()), kWidestCommand) +
                       contentsMargins().left() + contentsMargins().right();
    return {width, heightForWidth(width)};
}

QSize CommandText::minimumSizeHint() const {
    return {60, fontMetrics().lineSpacing() + around_height()};
}

void CommandText::resizeEvent(QResizeEvent* event) {
    QLabel::resizeEvent(event);
    updateGeometry();
}

void CommandText::paintEvent(QPaintEvent* event) {
    QFrame::paintEvent(event);
    QPainter painter(this);
    painter.setPen(
        palette().color(isEnabled() ? QPalette::Active : QPalette::Disabled, QPalette::WindowText));
    const auto box = contentsRect();
    auto line = box;
    line.setHeight(fontMetrics().lineSpacing());
    for (const auto& words : lines(box.width())) {
        painter.drawText(line, kOneLine, words);
        line.translate(0, line.height());
    }
}

QWidget* make_command_line(const QString& command) {
    auto* box = new QWidget;
    auto* row = new QHBoxLayout(box);
    row->setContentsMargins(0, 0, 0, 0);
    auto* text = new CommandText;
    text->set_command(command);
    auto* tool = make_tool(u"copy"_s, QObject::tr("Copy command"));
    QObject::connect(tool, &QToolButton::clicked, text, [text] { copy(text->text()); });
    row->addWidget(text, 1);
    row->addWidget(tool);
    return box;
}

}  // namespace snakepit::shm::ui
