// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/pages/widgets.h"

#include <QEvent>
#include <QFormLayout>
#include <QGridLayout>
#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLineEdit>
#include <QMessageBox>
#include <QMouseEvent>
#include <QPainter>
#include <QPainterPath>
#include <QProgressBar>
#include <QShortcut>
#include <QStackedWidget>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>

#include "ui/icons.h"
#include "ui/models/format.h"
#include "ui/models/visible_text.h"
#include "ui/theme.h"

namespace snakepit::shm::ui {

namespace {

constexpr int kHeadHeight = 32;  // of a card, with actions and without: titles side by side align
constexpr int kNarrowest = 24;   // a sparkline that still says something
constexpr int kNarrowFigure = 150;

}  // namespace

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

QFormLayout* make_form() {
    auto* form = new QFormLayout;
    form->setLabelAlignment(Qt::AlignLeft | Qt::AlignVCenter);
    form->setHorizontalSpacing(16);
    form->setVerticalSpacing(9);
    form->setFieldGrowthPolicy(QFormLayout::AllNonFixedFieldsGrow);
    return form;
}

QProgressBar* make_busy() {
    auto* busy = new QProgressBar;
    busy->setRange(0, 0);
    busy->setTextVisible(false);
    return busy;
}

QToolButton* make_tool(const QString& icon_name, const QString& text, const QString& shortcut,
                       const QString& label) {
    auto* button = new QToolButton;
    if (!label.isEmpty()) {
        button->setText(label);  // takes a shortcut away: first
        button->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    }
    button->setIcon(icon(icon_name));
    button->setIconSize({18, 18});
    button->setAccessibleName(text);
    button->setToolTip(shortcut.isEmpty() ? text : u"%1  (%2)"_s.arg(text, shortcut));
    if (!shortcut.isEmpty()) button->setShortcut(QKeySequence(shortcut));
    return button;
}

QPushButton* make_button(const QString& icon_name, const QString& text) {
    auto* button = new QPushButton(icon(icon_name), text);
    button->setIconSize({16, 16});
    return button;
}

void allow(QWidget* control, bool allowed, const QString& why_not) {
    constexpr auto kOwn = "own_tooltip";
    if (!control->property(kOwn).isValid()) control->setProperty(kOwn, control->toolTip());
    control->setEnabled(allowed && why_not.isEmpty());
    if (why_not.isEmpty())
        control->setToolTip(control->property(kOwn).toString());
    else
        set_tooltip(control, why_not);
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

void show_warning(QWidget* parent, const QString& title, const QString& text) {
    QMessageBox box(QMessageBox::Warning, title, visible_lines(text), QMessageBox::Ok, parent);
    box.setTextFormat(Qt::PlainText);
    box.exec();
}

void set_chip(QLabel* label, const QString& text, Severity severity) {
    const auto& colour = colours().severity(severity);
    say(label, text);
    label->setStyleSheet(
        u"background: %1; color: %2; border-radius: 9px; padding: 2px 10px;"
        u" font-weight: 600;"_s.arg(colour.fill.name(), colour.text.name()));
}

QHBoxLayout* make_row(std::initializer_list<QWidget*> widgets, QWidget* wide, int spacing) {
    auto* row = new QHBoxLayout;
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(spacing);
    for (auto* widget : widgets) row->addWidget(widget, widget == wide ? 1 : 0);
    if (!wide) row->addStretch();
    return row;
}

QWidget* make_row_box(std::initializer_list<QWidget*> widgets, QWidget* wide, int spacing) {
    auto* box = new QWidget;
    box->setLayout(make_row(widgets, wide, spacing));
    return box;
}

QStackedWidget* make_stack(std::initializer_list<QWidget*> widgets) {
    auto* stack = new QStackedWidget;
    for (auto* widget : widgets) stack->addWidget(widget);
    return stack;
}

QLineEdit* make_search(const QString& name, const QString& example) {
    auto* line = new QLineEdit;
    line->setPlaceholderText(example);
    line->addAction(icon(u"search"_s), QLineEdit::LeadingPosition);
    line->setAccessibleName(name);
    for (auto* sign : line->findChildren<QToolButton*>()) sign->setAccessibleName(name);
    line->setClearButtonEnabled(true);
    for (auto* button : line->findChildren<QToolButton*>())
        if (button->accessibleName().isEmpty()) button->setAccessibleName(QObject::tr("Clear"));
    return line;
}

void lead_to(QLineEdit* line, QWidget* page) {
    auto* find = new QShortcut(QKeySequence::Find, page);
    QObject::connect(find, &QShortcut::activated, line,
                     [line] { line->setFocus(), line->selectAll(); });
}

Card::Card(const QString& title, QWidget* content) : body_(new QVBoxLayout) {
    setObjectName(u"card"_s);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    if (!title.isNull()) {
        head_ = new QHBoxLayout;
        head_->setContentsMargins(16, 8, 10, 4);
        title_ = make_line(title, "section");
        title_->setMinimumHeight(kHeadHeight);
        note_ = make_line({}, "muted");
        head_->addWidget(title_);
        head_->addSpacing(6);
        head_->addWidget(note_, 1);
        column->addLayout(head_);
    }
    body_->setContentsMargins(1, 0, 1, 1);
    column->addLayout(body_, 1);
    if (content) body_->addWidget(content);
}

void Card::add_action(QWidget* action) {
    head_->addWidget(action);
}

Sparkline::Sparkline(QWidget* parent) : QWidget(parent) {
    setSizePolicy(QSizePolicy::Maximum, QSizePolicy::Fixed);
}

void Sparkline::set_values(std::vector<double> values) {
    if (values == values_) return;
    values_ = std::move(values);
    update();
}

void Sparkline::paintEvent(QPaintEvent*) {
    if (values_.size() < 2 || width() < kNarrowest) return;
    double highest = 0;
    for (const auto value : values_) highest = std::max(highest, std::isnan(value) ? 0 : value);
    const QRectF box = QRectF(rect()).adjusted(1, 3, -1, -3);
    QPainterPath path;
    bool drawing = false;
    for (std::size_t i = 0; i < values_.size(); ++i) {
        const bool known = !std::isnan(values_[i]);
        const QPointF point(box.left() + box.width() * static_cast<double>(i) /
                                             static_cast<double>(values_.size() - 1),
                            box.bottom() - (highest > 0 ? box.height() * values_[i] / highest : 0));
        if (known) drawing ? path.lineTo(point) : path.moveTo(point);
        drawing = known;
    }
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(QPen(colours().accent, 1.4));
    painter.drawPath(path);
}

FigureCard::FigureCard(const QString& icon_name, const QString& title, QWidget* parent)
    : QFrame(parent), icon_name_(icon_name), icon_(make_sign()), trend_(new Sparkline) {
    setObjectName(u"card"_s);
    title_ = make_line(title, "figure_title");
    figure_ = make_label(u"–"_s, "figure");
    caption_ = make_line({}, "figure_caption");
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
    setMinimumWidth(120);
}

void FigureCard::set_figure(const QString& figure, const QString& caption, Severity severity) {
    say(figure_, figure);
    caption_->set_text(caption);
    figure_->setAccessibleName(u"%1: %2"_s.arg(title_->text(), figure));
    if (severity == severity_) return;
    severity_ = severity;
    figure_->setStyleSheet(severity == Severity::none
                               ? QString()
                               : u"color: %1"_s.arg(colours().severity(severity).text.name()));
    icon_->setPixmap(icon(icon_name_, severity_).pixmap(18, 18));
}

void FigureCard::lead_to(const QString& hint, std::function<void()> go) {
    go_ = std::move(go);
    setProperty("leads", true);
    setCursor(Qt::PointingHandCursor);
    setFocusPolicy(Qt::StrongFocus);
    setAccessibleName(hint);
    set_tooltip(this, hint);
}

void FigureCard::mouseReleaseEvent(QMouseEvent* event) {
    QFrame::mouseReleaseEvent(event);
    if (go_ && event->button() == Qt::LeftButton && rect().contains(event->pos())) go_();
}

void FigureCard::keyPressEvent(QKeyEvent* event) {
    const bool press = event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter ||
                       event->key() == Qt::Key_Space;
    press&& go_ ? go_() : QFrame::keyPressEvent(event);
}

void FigureCard::changeEvent(QEvent* event) {
    if (event->type() == QEvent::PaletteChange)
        icon_->setPixmap(icon(icon_name_, severity_).pixmap(18, 18));
    QFrame::changeEvent(event);
}

FigureRow::FigureRow(QList<FigureCard*> cards)
    : cards_(std::move(cards)), grid_(new QGridLayout(this)) {
    grid_->setContentsMargins(0, 0, 0, 0);
    grid_->setSpacing(12);
    arrange(static_cast<int>(cards_.size()));
}

void FigureRow::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    const int count = static_cast<int>(cards_.size());
    arrange(width() >= count * kNarrowFigure ? count : (count + 1) / 2);
}

void FigureRow::arrange(int columns) {
    if (columns == columns_) return;
    for (int i = 0; i < columns_; ++i) grid_->setColumnStretch(i, 0);
    columns_ = columns;
    int place = 0;
    for (auto* card : cards_) {
        grid_->addWidget(card, place / columns, place % columns);
        ++place;
    }
    for (int i = 0; i < columns; ++i) grid_->setColumnStretch(i, 1);
}

EmptyState::EmptyState(const QString& icon_name, const QString& title, const QString& text,
                       QWidget* parent)
    : QWidget(parent), extra_(new QVBoxLayout) {
    auto* picture = make_sign();
    constexpr int kSide = 44;
    picture->setPixmap(icon(icon_name).pixmap(kSide, kSide));
    picture->setMinimumHeight(kSide);
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
    say(title_, title);
    say(text_, capitalised(text));
}

}  // namespace snakepit::shm::ui
