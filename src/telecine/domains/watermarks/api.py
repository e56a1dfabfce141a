"""`/watermarks`: upload, list, delete."""

from typing import Annotated, Any

import anyio
from anyio import to_thread
from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse

from telecine.domains.accounts.auth import Caller
from telecine.domains.watermarks import operations, pictures, queries
from telecine.domains.watermarks.models import Watermark
from telecine.domains.watermarks.pictures import Picture
from telecine.domains.watermarks.schemas import WatermarkDocument, WatermarkList
from telecine.formats.pictures import BrokenPicture, NotAPicture
from telecine.http import pagination
from telecine.http.body import JsonRoute
from telecine.http.multipart import Memory, invalid_file, receive_file
from telecine.http.schemas import PUBLIC_ID, file_body, problems
from telecine.http.services import AppServices
from telecine.http.sorting import ORDERS, order_of, parameter
from telecine.http.text import atom
from telecine.problems import problem

router = APIRouter(route_class=JsonRoute, tags=["Watermarks"])

WatermarkId = Annotated[str, Path(alias="watermarkId", pattern=PUBLIC_ID)]

SORTS = ("createdAt",)

# A picture may decode to 150 MB: one at a time.
_decoding = anyio.CapacityLimiter(1)


PARAMETERS = [
    parameter("sortBy", "What to sort by.", SORTS),
    parameter("sortOrder", "Ascending or, by default, descending.", ORDERS),
]


def document(row: Watermark) -> dict[str, Any]:
    """Return a watermark as the API shows it."""
    return {"watermarkId": row.public_id, "createdAt": atom(row.created_at)}


@router.get(
    "/watermarks",
    operation_id="LIST-watermarks",
    summary="List all watermarks",
    response_model=WatermarkList,
    responses=problems(400),
    openapi_extra={"parameters": [*PARAMETERS, *pagination.PARAMETERS]},
)
async def list_watermarks(request: Request, caller: Caller, services: AppServices) -> JSONResponse:
    """List the watermarks of a project."""
    items = request.query_params.multi_items()
    descending = order_of(items, SORTS).descending
    page = pagination.page_of(items)
    async with services.db.transaction() as tx:
        total, rows = await queries.page(tx, caller.project_id, descending=descending, wanted=page)
    data = [document(row) for row in rows]
    return JSONResponse(pagination.envelope(data, total, page, "/watermarks", items))


@router.post(
    "/watermarks",
    operation_id="POST_watermark",
    summary="Upload a watermark",
    response_model=WatermarkDocument,
    responses=problems(400, 507),
    openapi_extra=file_body("A JPEG or PNG picture of at most 5 MiB."),
)
async def upload_watermark(request: Request, caller: Caller, services: AppServices) -> JSONResponse:
    """Upload a picture that can be burnt into new videos."""
    received = Memory()
    await receive_file(request, received, max_bytes=pictures.MAX_BYTES)
    picture = await _picture(bytes(received.data))
    # The row first: whatever happens then, a sweep finds the object by it.
    async with services.db.transaction() as tx:
        row = await operations.create_watermark(tx, caller.project_id, picture)
    await services.store.put(row.key, picture.png)
    async with services.db.transaction() as tx:
        await operations.record_stored(tx, caller.project_id, row.id)
    return JSONResponse(document(row))


async def _picture(data: bytes) -> Picture:
    try:
        return await to_thread.run_sync(pictures.normalised, data, limiter=_decoding)
    except NotAPicture:
        title = "Only [jpeg, jpg, JPG, JPEG, png, PNG] extensions are supported."
        raise problem(400, "uploaded-file-extension-invalid", title, "file") from None
    except BrokenPicture as error:
        raise invalid_file(str(error)) from None


@router.delete(
    "/watermarks/{watermarkId}",
    operation_id="DELETE_watermark",
    summary="Delete a watermark",
    status_code=204,
    response_class=Response,
    responses=problems(404),
)
async def delete_watermark(
    watermark_id: WatermarkId, caller: Caller, services: AppServices
) -> None:
    """Delete a watermark. Videos that were made with it keep it."""
    async with services.db.transaction() as tx:
        await operations.delete_watermark(tx, caller.project_id, watermark_id)
