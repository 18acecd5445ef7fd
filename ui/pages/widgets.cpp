// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/pages/widgets.h"

#include <QClipboard>
#include <QEvent>
#include <QFormLayout>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QLineEdit>
#include <QPainter>
#include <QPainterPath>
#include <QShortcut>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/icons.h"
#include "ui/theme.h"

namespace snakepit::shm::ui {

QLabel* make_label(const QString& text, const char* object_name) {
    auto* label = new QLabel(text);
    if (object_name) label->setObjectName(QString::fromLatin1(object_name));
    return label;
}

QLabel* make_words(const char* object_name) {
    auto* label = make_label({}, object_name);
    label->setWordWrap(true);
    label->setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
    return label;
}

void say(QLabel* label, const QString& text) {
    if (label->text() != text) label->setText(text);
}

QString muted_html(const QString& text) {
    return QStringLiteral("<span style='color:%1'>%2</span>")
        .arg(colours().muted.name(), text.toHtmlEscaped());
}

QFormLayout* make_facts() {
    auto* facts = new QFormLayout;
    facts->setLabelAlignment(Qt::AlignLeft | Qt::AlignTop);
    facts->setHorizontalSpacing(14);
    facts->setVerticalSpacing(5);
    return facts;
}

QLabel* add_fact(QFormLayout* facts, const QString& name) {
    auto* value = make_words();
    facts->addRow(make_label(name, "muted"), value);
    return value;
}

QToolButton* make_tool(const QString& icon_name, const QString& text, const QString& shortcut) {
    auto* button = new QToolButton;
    button->setIcon(icon(icon_name));
    button->setIconSize({18, 18});
    button->setAccessibleName(text);
    button->setToolTip(shortcut.isEmpty() ? text : QStringLiteral("%1  (%2)").arg(text, shortcut));
    if (!shortcut.isEmpty()) button->setShortcut(QKeySequence(shortcut));
    return button;
}

QPushButton* make_button(const QString& icon_name, const QString& text) {
    auto* button = new QPushButton(icon(icon_name), text);
    button->setIconSize({16, 16});
    return button;
}

QPushButton* make_primary(const QString& text) {
    auto* button = new QPushButton(text);
    button->setProperty("primary", true);
    return button;
}

QPushButton* make_danger(const QString& text) {
    auto* button = new QPushButton(text);
    button->setProperty("danger", true);
    button->setAutoDefault(false);
    return button;
}

void set_chip(QLabel* label, const QString& text, Tone tone) {
    const auto& colour = colours().tone(tone);
    label->setText(text);
    label->setStyleSheet(
        QStringLiteral("background: %1; color: %2; border-radius: 9px; padding: 2px 10px;"
                       " font-weight: 600;")
            .arg(colour.fill.name(), colour.text.name()));
}

QLineEdit* make_search(const QString& name, const QString& example) {
    auto* line = new QLineEdit;
    line->setPlaceholderText(example);
    line->addAction(icon(QStringLiteral("search")), QLineEdit::LeadingPosition);
    line->setClearButtonEnabled(true);
    line->setAccessibleName(name);
    return line;
}

void lead_to(QLineEdit* line, QWidget* page) {
    auto* find = new QShortcut(QKeySequence::Find, page);
    QObject::connect(find, &QShortcut::activated, line,
                     [line] { line->setFocus(), line->selectAll(); });
}

QWidget* make_command_line(const QString& command) {
    auto* box = new QWidget;
    auto* row = new QHBoxLayout(box);
    row->setContentsMargins(0, 0, 0, 0);
    auto* text = make_words("command");
    text->setText(command);
    text->setFont(Theme::instance().monospace());
    text->setAccessibleName(QObject::tr("Equivalent command"));
    auto* copy = make_tool(QStringLiteral("copy"), QObject::tr("Copy the command"));
    QObject::connect(copy, &QToolButton::clicked, text,
                     [text] { QGuiApplication::clipboard()->setText(text->text()); });
    row->addWidget(text, 1);
    row->addWidget(copy);
    return box;
}

void ElidedLabel::set_text(const QString& text) {
    setText(text);
    setToolTip(text);
}

void ElidedLabel::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.setPen(palette().color(QPalette::WindowText));
    painter.drawText(rect(), Qt::AlignVCenter | Qt::AlignLeft,
                     fontMetrics().elidedText(text(), Qt::ElideMiddle, width()));
}

Card::Card(const QString& title, QWidget* parent) : QFrame(parent), body_(new QVBoxLayout) {
    setObjectName(QStringLiteral("card"));
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    if (!title.isNull()) {
        head_ = new QHBoxLayout;
        head_->setContentsMargins(16, 10, 10, 6);
        title_ = make_label(title, "section");
        note_ = make_label({}, "muted");
        head_->addWidget(title_);
        head_->addSpacing(6);
        head_->addWidget(note_, 1);
        column->addLayout(head_);
    }
    body_->setContentsMargins(1, 0, 1, 1);
    column->addLayout(body_, 1);
}

void Card::add_action(QWidget* action) {
    head_->addWidget(action);
}
void Card::set_title(const QString& title) {
    title_->setText(title);
}
void Card::set_note(const QString& note) {
    note_->setText(note);
}

Sparkline::Sparkline(QWidget* parent) : QWidget(parent) {
    setSizePolicy(QSizePolicy::Fixed, QSizePolicy::Fixed);
}

void Sparkline::set_values(std::vector<double> values) {
    if (values == values_) return;
    values_ = std::move(values);
    update();
}

void Sparkline::paintEvent(QPaintEvent*) {
    if (values_.size() < 2) return;
    const auto [low, high] = std::minmax_element(values_.begin(), values_.end());
    const double span = *high - *low;
    const QRectF box = QRectF(rect()).adjusted(1, 3, -1, -3);
    QPainterPath path;
    for (std::size_t i = 0; i < values_.size(); ++i) {
        const double x = box.left() + box.width() * static_cast<double>(i) /
                                          static_cast<double>(values_.size() - 1);
        const double y =
            span > 0 ? box.bottom() - box.height() * (values_[i] - *low) / span : box.center().y();
        i == 0 ? path.moveTo(x, y) : path.lineTo(x, y);
    }
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(QPen(colours().accent, 1.4));
    painter.drawPath(path);
}

FigureCard::FigureCard(const QString& icon_name, const QString& title, QWidget* parent)
    : QFrame(parent), icon_name_(icon_name), icon_(new QLabel), trend_(new Sparkline) {
    setObjectName(QStringLiteral("card"));
    title_ = make_label(title, "figure_title");
    figure_ = make_label(QStringLiteral("–"), "figure");
    caption_ = make_label({}, "figure_caption");
    figure_->setAccessibleName(title);
    icon_->setPixmap(icon(icon_name_).pixmap(18, 18));
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(16, 13, 14, 13);
    column->setSpacing(3);
    auto* head = new QHBoxLayout;
    head->setSpacing(8);
    head->addWidget(icon_);
    head->addWidget(title_, 1);
    column->addLayout(head);
    auto* line = new QHBoxLayout;
    line->addWidget(figure_, 1);
    line->addWidget(trend_);
    column->addLayout(line);
    column->addWidget(caption_);
    setMinimumWidth(150);
}

void FigureCard::set_figure(const QString& figure, const QString& caption, Tone tone) {
    figure_->setText(figure);
    caption_->setText(caption);
    if (tone == tone_) return;
    tone_ = tone;
    figure_->setStyleSheet(tone == Tone::none
                               ? QString()
                               : QStringLiteral("color: %1").arg(colours().tone(tone).text.name()));
    icon_->setPixmap(icon(icon_name_, tone_).pixmap(18, 18));
}

void FigureCard::changeEvent(QEvent* event) {
    if (event->type() == QEvent::PaletteChange)
        icon_->setPixmap(icon(icon_name_, tone_).pixmap(18, 18));
    QFrame::changeEvent(event);
}

EmptyState::EmptyState(const QString& icon_name, const QString& title, const QString& text,
                       QWidget* parent)
    : QWidget(parent), extra_(new QVBoxLayout) {
    auto* picture = new QLabel;
    picture->setPixmap(icon(icon_name).pixmap(44, 44));
    picture->setAlignment(Qt::AlignCenter);
    title_ = make_label(title, "page_title");
    title_->setAlignment(Qt::AlignCenter);
    text_ = make_label(text, "muted");
    text_->setAlignment(Qt::AlignCenter);
    text_->setWordWrap(true);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(32, 24, 32, 24);
    column->setSpacing(8);
    column->addStretch(2);
    column->addWidget(picture);
    column->addWidget(title_);
    column->addWidget(text_);
    column->addLayout(extra_);
    column->addStretch(3);
}

void EmptyState::set_text(const QString& title, const QString& text) {
    title_->setText(title);
    text_->setText(text);
}

}  // namespace snakepit::shm::ui
