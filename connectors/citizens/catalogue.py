"""The citizens' REST API, what can be looked up: the site, life events with their questions, regions, calculators."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field

from bot import database, regions
from bot.clock import SHANGHAI, utcnow
from bot.errors import NotFound, TooMany
from bot.replies import CalculationReply, RegionView
from bot.seal import TYPES, seal
from connectors.web.context import Body, Gateway, TheGateway, client_address
from connectors.web.errors import answers
from index import matters, themes
from index.assistant.respond import calculation_reply
from index.calculators import CALCULATORS, local_figures
from index.matters import FirstScreen
from index.themes import Audience

router = APIRouter()


class Site(BaseModel):
    """What a client must know before the first word."""

    city: str
    region: RegionView = Field(description="The region that is served.")
    retention_days: int = Field(description="After so many silent days a conversation is erased.")
    asked_days: int = Field(description="So long a masked copy of a question is kept to improve the answers.")
    hotline: str
    seal: str | None = Field(description="Where the city's seal is, a picture; none without `YIHAODA_SEAL_FILE`.")
    wechat_templates: list[str] = Field(description="Template ids for wx.requestSubscribeMessage.")
    version: str


class RegionItem(BaseModel):
    """A region in a list: its own name, without its parents'."""

    code: str
    name: str
    leaf: bool = Field(description="It has no parts of its own.")


class QuestionView(BaseModel):
    """A question that has an answer now; send it as a message to get it."""

    qa_id: str
    question: str


class ThemeView(BaseModel):
    """A life event, and what people ask most often in it."""

    id: str
    title: str
    audience: Audience
    hint: str
    questions: list[QuestionView] = Field(description="At most 8.")


class MatterView(BaseModel):
    """A matter and all its questions."""

    matter: str
    questions: list[QuestionView]


class WholeThemeView(ThemeView):
    """A life event with everything in it."""

    matters: list[MatterView]


class FieldView(BaseModel):
    """One input of a calculator.  Values are sent as people write them: 76年3月, 八千五, 6年半."""

    name: str
    label: str
    question: str
    kind: str
    optional: bool
    unit: str
    choices: list[dict[str, str]]


class CalculatorView(BaseModel):
    """A calculator and what it wants to know."""

    id: str
    title: str
    matter: str
    fields: list[FieldView]


class Calculation(Body):
    """The inputs, by field name."""

    inputs: dict[str, Annotated[str, Field(max_length=200)]] = Field(max_length=20)
    region: str | None = Field(
        None, pattern=r"^\d{6}$", description="Where the citizen is: its own figures stand for what is not told."
    )


@router.get("/site")
def read_site(request: Request, here: TheGateway) -> Site:
    """Whose assistant this is."""
    settings = here.settings
    return Site(
        city=settings.city,
        region=RegionView(code=settings.region, name=regions.full_name(settings.region)),
        retention_days=settings.retention_days,
        asked_days=settings.asked_days,
        hotline=settings.phone,
        seal="/api/seal" if seal(settings.seal_file) else None,
        wechat_templates=[settings.miniprogram_template] if settings.miniprogram_template else [],
        version=request.app.version,
    )


@router.get("/seal", responses=answers(404), response_class=FileResponse)
def read_seal(here: TheGateway) -> FileResponse:
    """The city's seal, a picture."""
    file = seal(here.settings.seal_file)
    if file is None:
        raise NotFound("没有设置城市标志。")
    # An SVG that is opened by itself could run scripts: not here.
    headers = {
        "Cache-Control": "public, max-age=3600",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    }
    return FileResponse(file, media_type=TYPES[file.suffix.lower()], headers=headers)


@router.get("/regions", responses=answers(404))
def list_regions(here: TheGateway, parent: Annotated[str | None, Query(pattern=r"^\d{6}$")] = None) -> list[RegionItem]:
    """A region's parts; without ``parent``, the region that is served."""
    found = [regions.get(here.settings.region)] if parent is None else regions.children(parent)
    return [RegionItem(code=one.code, name=one.name, leaf=not regions.children(one.code)) for one in found]


@router.get("/matters", responses=answers(429))
def list_matters(request: Request, here: TheGateway, elder: bool = False) -> FirstScreen:
    """What most people need in this season, or with ``elder`` the old: for the first screen."""
    _allow(request, here)
    return matters.first_screen(here.settings, utcnow(), elder=elder)


@router.get("/themes", responses=answers(429))
def list_themes(request: Request, here: TheGateway) -> list[ThemeView]:
    """Life events that have questions which may be answered now."""
    return [_theme(one) for one in _themes(request, here)]


@router.get("/themes/{theme}", responses=answers(404, 429))
def read_theme(request: Request, here: TheGateway, theme: Annotated[str, Path(max_length=32)]) -> WholeThemeView:
    """A life event with all its matters and questions."""
    for one in _themes(request, here):
        if one.id == theme:
            matters = [MatterView(matter=each.title, questions=_questions(each.questions)) for each in one.matters]
            return WholeThemeView(**_theme(one).model_dump(), matters=matters)
    raise NotFound("没有这个主题，或者它现在没有可以回答的问题。")


def _allow(request: Request, here: Gateway) -> None:
    if not here.lookups.allow(client_address(request)):
        raise TooMany("查看得太频繁了，请稍后再试。")


def _themes(request: Request, here: Gateway) -> tuple[themes.Theme, ...]:
    _allow(request, here)
    return themes.current(here.settings, utcnow())


def _theme(theme: themes.Theme) -> ThemeView:
    return ThemeView(
        id=theme.id, title=theme.title, audience=theme.audience, hint=theme.hint, questions=_questions(theme.top)
    )


def _questions(questions: tuple[themes.Question, ...]) -> list[QuestionView]:
    return [QuestionView(qa_id=one.qa_id, question=one.text) for one in questions]


@router.get("/calculators")
def list_calculators() -> list[CalculatorView]:
    """The calculators: retirement, unemployment benefit, leave, severance, income tax, overtime."""
    return [
        CalculatorView(
            id=one.id,
            title=one.title,
            matter=one.matter,
            fields=[
                FieldView(
                    name=each.name,
                    label=each.label,
                    question=each.question,
                    kind=each.kind,
                    optional=each.optional,
                    unit=each.unit,
                    choices=[{"value": choice.value, "label": choice.label} for choice in each.choices],
                )
                for each in one.fields
            ],
        )
        for one in CALCULATORS.values()
    ]


@router.post("/calculators/{calculator}", responses=answers(400, 404, 429))
def calculate(
    request: Request, here: TheGateway, calculator: Annotated[str, Path(max_length=32)], body: Calculation
) -> CalculationReply:
    """Work a rule out.  Nothing is stored.  422 says in Chinese which input is missing or makes no sense."""
    if calculator not in CALCULATORS:
        raise NotFound(f"没有「{calculator}」这种计算。")
    if not here.lookups.allow(client_address(request)):
        raise TooMany("算得太频繁了，请稍后再试。")
    one, region = CALCULATORS[calculator], body.region or here.settings.region
    with database.read() as session:
        found = local_figures(session, here.settings, calculator, region, utcnow().astimezone(SHANGHAI).date())
    used = {name: figure for name, figure in found.items() if name not in body.inputs}
    reply = calculation_reply(one, one.compute({name: each.text for name, each in used.items()} | body.inputs))
    reply.local = [each.figure for each in used.values()]
    return reply
