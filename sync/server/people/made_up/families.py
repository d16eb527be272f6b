"""Households that do not exist, for demonstrations and measurements: plausible names, papers, families and forms. Pure.

The same seed on the same day makes the same people. Every document number has a good checksum and is nobody's on
purpose: it is drawn, not taken from anywhere, and no demonstration may send anything to a telephone number of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from random import Random
from typing import NamedTuple

from sync.server.people import identity
from sync.server.people.households.application import JOURNEY_DAYS, Applicant, Application, Journey

SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石"
    "廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤"
)
"""By how often they are met, the most frequent first."""
DOUBLE_SURNAMES = ("欧阳", "上官", "司马", "诸葛", "皇甫", "司徒", "令狐", "夏侯")
_GIVEN = {
    ("m", 0): "建国军明华平志强伟文斌福生金德忠勇永清林春海根发",
    ("f", 0): "秀英玉兰桂芳凤珍淑华红梅丽萍琴霞云春香美娟芬翠莲",
    ("m", 1): "伟强磊军杰涛超鹏浩斌波辉刚健俊勇亮峰飞宁凯旭东晨",
    ("f", 1): "静丽娟艳敏燕婷雪莉倩颖佳慧琳洁丹晶娜玲蕾媛薇欣怡",
    ("m", 2): "宇轩浩然子涵梓睿博文泽铭俊熙一诺嘉豪辰逸皓天佑明哲",
    ("f", 2): "梓涵欣怡雨桐诗琪可馨思彤语嫣佳一诺若汐沐晴紫萱依晨",
}
_LATIN = (("Anna", "James", "Maria", "Peter", "Olga", "Ahmed", "Linh", "Sofia", "Kenji"),
          ("Kowalska", "Okafor", "Silva", "Brown", "Ivanova", "Hassan", "Nguyen", "Rossi", "Tanaka"))  # fmt: skip
_DOTTED = (("阿依古丽", "古丽娜尔", "帕提古丽", "艾力", "买买提", "吐尔逊"),
           ("阿不都热合曼", "买买提", "艾山", "玉素甫", "吐尔逊", "依明"))  # fmt: skip


class Region(NamedTuple):
    """Where somebody is registered: the first six places of an ID number, and how often it is met here."""

    code: str
    province: str
    city: str
    plate: str
    weight: int


REGIONS = tuple(Region(*fields) for fields in (
    ("420106", "湖北", "武汉", "鄂A", 560), ("420902", "湖北", "孝感", "鄂K", 70),
    ("421102", "湖北", "黄冈", "鄂J", 60), ("421002", "湖北", "荆州", "鄂D", 40), ("420602", "湖北", "襄阳", "鄂F", 30),
    ("420502", "湖北", "宜昌", "鄂E", 25),
    ("411502", "河南", "信阳", "豫S", 30), ("410102", "河南", "郑州", "豫A", 15), ("430102", "湖南", "长沙", "湘A", 20),
    ("430602", "湖南", "岳阳", "湘F", 15), ("340102", "安徽", "合肥", "皖A", 15), ("360102", "江西", "南昌", "赣A", 15),
    ("440106", "广东", "广州", "粤A", 12), ("440305", "广东", "深圳", "粤B", 10), ("330102", "浙江", "杭州", "浙A", 8),
    ("330302", "浙江", "温州", "浙C", 8), ("320102", "江苏", "南京", "苏A", 8), ("310101", "上海", "上海", "沪A", 6),
    ("110105", "北京", "北京", "京N", 6), ("500103", "重庆", "重庆", "渝A", 12), ("510104", "四川", "成都", "川A", 12),
    ("610102", "陕西", "西安", "陕A", 8), ("370102", "山东", "济南", "鲁A", 8), ("350203", "福建", "厦门", "闽D", 5),
    ("450103", "广西", "南宁", "桂A", 4), ("520102", "贵州", "贵阳", "贵A", 4), ("210102", "辽宁", "沈阳", "辽A", 3),
    ("230102", "黑龙江", "哈尔滨", "黑A", 3),
    ("650102", "新疆", "乌鲁木齐", "新A", 3), ("140105", "山西", "太原", "晋A", 3),
))  # fmt: skip
EPIDEMIC_AREAS = (("浙江", "温州", "鹿城区"), ("河南", "信阳", ""))
"""Places where the travel of some leads; anyone who makes a town puts them on its list."""

SIZES = (1, 2, 3, 4, 5, 6)
_SIZE_WEIGHTS = (22, 28, 27, 13, 7, 3)
MEAN_SIZE = sum(size * weight for size, weight in zip(SIZES, _SIZE_WEIGHTS, strict=True)) / 100
_LINES_OF_A_SIGNATURE = 16


def draw_sizes(rng: Random, residents: int) -> list[int]:
    """Sizes of households that together have exactly that many people."""
    sizes: list[int] = []
    left = residents
    while left > 0:
        sizes.append(min(left, rng.choices(SIZES, _SIZE_WEIGHTS)[0]))
        left -= sizes[-1]
    return sizes


class Member(NamedTuple):
    """Somebody of a family before they have a name."""

    role: str  # head, spouse, child, parent, mate, nanny
    age: int
    sex: str


class MadeUp:
    """Makes one household after another; no document number twice."""

    def __init__(self, rng: Random, today: date, taken: set[str]):
        self._rng = rng
        self._today = today
        self._taken = taken

    def application(self, size: int, dwelling: tuple[int, str, str], day: date) -> Application:
        """A whole form, filled in on a ``day``; ``dwelling`` is (number, building, name)."""
        rng = self._rng
        tenant = rng.random() < 0.32
        region = self._region(far=tenant)
        members = self._members(size, tenant)
        surname = self._surname()
        stays = self._stays(day) if rng.random() < 0.08 else []
        people = [self._applicant(member, surname, region, tenant, day, stays) for member in members]
        paper = rng.random() < 0.04
        return Application(
            dwelling_id=dwelling[0], building=dwelling[1], dwelling=dwelling[2], people=people,
            plates=[self._plate(region) for _ in range(self._cars(members))], letter_name=people[0].name,
            signature="" if paper else self._signature(), paper=paper, language="zh" if rng.random() < 0.98 else "en",
        )  # fmt: skip

    # Who lives together

    def _members(self, size: int, tenant: bool) -> list[Member]:
        rng = self._rng
        sex = rng.choice("mf")
        if size == 1:
            return [Member("head", rng.randint(20, 45) if tenant else rng.randint(24, 86), sex)]
        if size == 2 and tenant and rng.random() < 0.4:
            return [Member(role, rng.randint(20, 34), rng.choice("mf")) for role in ("head", "mate")]
        age = rng.randint(27, 74 if size == 2 else 50)
        family = [Member("head", age, sex), Member("spouse", max(22, age + rng.randint(-5, 4)), "fm"[sex == "f"])]
        children, parents = rng.choice(_FAMILIES[size])
        family = family[: size - children - parents]
        youngest = min(member.age for member in family) - 22
        family += [Member("child", max(0, youngest - rng.randint(0, 12)), rng.choice("mf")) for _ in range(children)]
        family += [Member("parent", age + rng.randint(22, 30), "fm"[place % 2]) for place in range(parents)]
        return [*family[:-1], Member("nanny", rng.randint(35, 58), "f")] if parents and rng.random() < 0.1 else family

    def _applicant(self, member: Member, surname: str, region: Region, tenant: bool, day: date,
                   stays: list[Journey]) -> Applicant:  # fmt: skip
        rng = self._rng
        own = region if member.role in ("head", "child", "parent") else self._region(far=tenant)
        name = self._name(member, surname if member.role in ("head", "child") else self._surname())
        travelled = stays if member.role != "mate" and rng.random() < 0.85 else []
        person = Applicant(
            name=name, relation=self._relation(member, tenant), phone=self._phone() if member.age >= 14 else "",
            province=own.province, city=own.city, stayed="no" if travelled else "yes", journeys=travelled,
            kind="household_staff" if member.role == "nanny" else "resident",
            contact="yes" if rng.random() < 0.004 else "no", quarantine="yes" if rng.random() < 0.006 else "no",
            health=rng.choices(("well", "cough", "fever", "other"), (978, 10, 4, 8))[0],
        )  # fmt: skip
        self._give_paper(person, member, own, day)
        self._give_arrival(person, member, tenant, own, day)
        return person

    def _relation(self, member: Member, tenant: bool) -> str:
        if member.role in ("head", "mate"):
            return "tenant" if tenant else "owner"
        return "other" if member.role == "nanny" else "family"

    def _surname(self) -> str:
        if self._rng.random() < 0.004:
            return self._rng.choice(DOUBLE_SURNAMES)
        return self._rng.choices(SURNAMES, cum_weights=_SURNAME_WEIGHTS)[0]

    def _name(self, member: Member, surname: str) -> str:
        rng = self._rng
        signs = _GIVEN[member.sex, 0 if member.age > 55 else 1 if member.age > 22 else 2]
        given = rng.choice(signs)
        return surname + given + (rng.choice(signs) if rng.random() < 0.72 else "")

    # Papers

    def _give_paper(self, person: Applicant, member: Member, region: Region, day: date) -> None:
        rng = self._rng
        person.birth, person.sex = self._birth(member.age, day).isoformat(), member.sex
        drawn = rng.random()
        if member.role == "child" and member.age == 0 and drawn < 0.4:
            person.doc_kind, person.birth = "none", (day - timedelta(days=rng.randint(3, 60))).isoformat()
        elif drawn < 0.985 or member.role == "child":
            self._give_id_card(person, region)
        else:
            kind = rng.choice(("passport", "passport", "hk_macau", "taiwan", "dotted"))
            self._give_other_paper(person, kind, region)

    def _birth(self, age: int, day: date) -> date:
        born = date(self._today.year - age, self._rng.randint(1, 12), self._rng.randint(1, 28))
        return born if born < day else day - timedelta(days=self._rng.randint(70, 300))

    def _give_id_card(self, person: Applicant, region: Region) -> None:
        last = 1 if person.sex == "m" else 0
        born = person.birth.replace("-", "")

        def draw() -> str:
            front = f"{region.code}{born}{self._rng.randrange(500) * 2 + last:03d}"
            return front + identity.id_checksum(front)

        person.doc_kind, person.doc_number = "id_card", self._unused(draw)

    def _give_other_paper(self, person: Applicant, kind: str, region: Region) -> None:
        rng = self._rng
        if kind == "dotted":
            person.name = "·".join(rng.choice(words) for words in _DOTTED)
            self._give_id_card(person, region)
            return
        if kind == "passport":
            person.name = " ".join(rng.choice(words) for words in _LATIN)
        first = {"passport": "E", "hk_macau": "H", "taiwan": ""}[kind]
        person.doc_kind, person.doc_number = kind, self._unused(lambda: f"{first}{rng.randrange(10**7, 10**8)}")

    def _unused(self, draw: Callable[[], str]) -> str:
        number = draw()
        while number in self._taken:
            number = draw()
        self._taken.add(number)
        return number

    def _phone(self) -> str:
        return f"1{self._rng.choice('3335567788899')}{self._rng.randrange(10**9):09d}"

    def _cars(self, members: Sequence[Member]) -> int:
        grown = sum(20 <= member.age < 70 and member.role != "nanny" for member in members)
        return self._rng.choices((0, 1, 2), ((30, 10, 0), (68, 30, 2), (48, 46, 6))[min(grown, 2)])[0]

    def _plate(self, region: Region) -> str:
        rng = self._rng
        at = region if rng.random() < 0.2 else REGIONS[0]
        if rng.random() < 0.35:
            return f"{at.plate}{rng.choice('DDDDFA')}{rng.randrange(10**5):05d}"
        return at.plate + "".join(rng.choice("0123456789ABCDEFGHJKLMNPQRSTUVWXYZ" if place < 2 else "0123456789")
                                  for place in range(5))  # fmt: skip

    # Where from, and where in the last days

    def _region(self, far: bool) -> Region:
        weights = _FAR_WEIGHTS if far else _NEAR_WEIGHTS
        return self._rng.choices(REGIONS, weights)[0]

    def _give_arrival(self, person: Applicant, member: Member, tenant: bool, region: Region, day: date) -> None:
        rng = self._rng
        longest = min(member.age * 365, 1800 if tenant else 9000)
        arrived = day - timedelta(days=rng.randint(3, 25) if rng.random() < 0.03 else rng.randint(0, longest))
        person.arrived = max(arrived, date.fromisoformat(person.birth)).isoformat()
        person.came_from = f"{region.province} {region.city}"
        near = region is REGIONS[0]
        kinds = ("none", "car", "coach") if near else ("train", "train", "car", "coach", "plane")
        person.transport = rng.choice(kinds)
        numbers = {"train": f"{rng.choice('GDKZ')}{rng.randint(1, 9999)}", "plane": f"CZ{rng.randint(1000, 9999)}"}
        person.transport_number = numbers.get(person.transport, "")

    def _stays(self, day: date) -> list[Journey]:
        rng = self._rng
        until = day - timedelta(days=rng.randint(0, JOURNEY_DAYS - 6))
        found: list[Journey] = []
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            begun = until - timedelta(days=rng.randint(0, 3))
            province, city, district = self._place()
            found.insert(0, Journey(province=province, city=city, district=district, from_day=begun.isoformat(),
                                    until_day=until.isoformat()))  # fmt: skip
            until = begun
            if day - until > timedelta(days=JOURNEY_DAYS - 5):
                break
        return found

    def _place(self) -> tuple[str, str, str]:
        if self._rng.random() < 0.12:
            return self._rng.choice(EPIDEMIC_AREAS)
        region = self._rng.choice(REGIONS[1:])
        return region.province, region.city, ""

    def _signature(self) -> str:
        rng = self._rng
        points = (f"L{60 + 50 * step} {rng.randint(90, 310)}" for step in range(1, _LINES_OF_A_SIGNATURE))
        return f"M60 {rng.randint(120, 280)} " + " ".join(points)


_FAMILIES = {2: ((0, 0), (0, 0), (1, 0)), 3: ((1, 0), (1, 0), (1, 0), (0, 1)), 4: ((2, 0), (1, 1)),
             5: ((2, 1), (1, 2)), 6: ((2, 2),)}  # fmt: skip
"""Size → (children, parents) beside a couple; of two with a child, one parent is left."""
_SURNAME_WEIGHTS = [sum(1 / (rank + 6) for rank in range(place + 1)) for place in range(len(SURNAMES))]
_NEAR_WEIGHTS = [region.weight for region in REGIONS]
_FAR_WEIGHTS = [region.weight if place else 120 for place, region in enumerate(REGIONS)]
