// Generated from the API's OpenAPI document by `npm run types`; do not edit.

export interface paths {
    "/x/AddAnswer": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** <Lambda> */
        get: operations["_lambda__x_AddAnswer_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/x/AddedImage": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** <Lambda> */
        get: operations["_lambda__x_AddedImage_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/x/Backends": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** <Lambda> */
        get: operations["_lambda__x_Backends_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/x/Counts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** <Lambda> */
        get: operations["_lambda__x_Counts_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/x/CountsAnswer": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** <Lambda> */
        get: operations["_lambda__x_CountsAnswer_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/x/DeletedAnswer": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** <Lambda> */
        get: operations["_lambda__x_DeletedAnswer_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/x/DetectAnswer": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** <Lambda> */
        get: operations["_lambda__x_DetectAnswer_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/x/ErrorAnswer": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** <Lambda> */
        get: operations["_lambda__x_ErrorAnswer_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/x/FoundObject": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** <Lambda> */
        get: operations["_lambda__x_FoundObject_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/x/HealthAnswer": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** <Lambda> */
        get: operations["_lambda__x_HealthAnswer_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/x/Hit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** <Lambda> */
        get: operations["_lambda__x_Hit_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/x/ImageAnswer": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** <Lambda> */
        get: operations["_lambda__x_ImageAnswer_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/x/ImageListAnswer": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** <Lambda> */
        get: operations["_lambda__x_ImageListAnswer_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/x/IndexedEntry": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** <Lambda> */
        get: operations["_lambda__x_IndexedEntry_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/x/Indexing": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** <Lambda> */
        get: operations["_lambda__x_Indexing_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/x/ListedImage": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** <Lambda> */
        get: operations["_lambda__x_ListedImage_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/x/Match": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** <Lambda> */
        get: operations["_lambda__x_Match_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/x/ModelsStatus": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** <Lambda> */
        get: operations["_lambda__x_ModelsStatus_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/x/ModelStatus": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** <Lambda> */
        get: operations["_lambda__x_ModelStatus_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/x/Query": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** <Lambda> */
        get: operations["_lambda__x_Query_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/x/QueryAnswer": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** <Lambda> */
        get: operations["_lambda__x_QueryAnswer_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/x/ReadyAnswer": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** <Lambda> */
        get: operations["_lambda__x_ReadyAnswer_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/x/SearchAnswer": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** <Lambda> */
        get: operations["_lambda__x_SearchAnswer_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/x/Searched": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** <Lambda> */
        get: operations["_lambda__x_Searched_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/x/StatusAnswer": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** <Lambda> */
        get: operations["_lambda__x_StatusAnswer_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/x/Timings": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** <Lambda> */
        get: operations["_lambda__x_Timings_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * AddAnswer
         * @description What became of each file, in the order sent.
         */
        AddAnswer: {
            /** Images */
            images: components["schemas"]["AddedImage"][];
        };
        /**
         * AddedImage
         * @description What became of one file.
         */
        AddedImage: {
            /**
             * Code
             * @description Stable code of the reason.
             */
            code: string | null;
            /** Filename */
            filename: string;
            /**
             * Image Key
             * @description Null where the file was rejected.
             */
            image_key: string | null;
            /**
             * Objects
             * @description Objects of this picture in the index.
             */
            objects: number;
            /**
             * Reason
             * @description Why it was rejected or failed.
             */
            reason: string | null;
            /**
             * Status
             * @enum {string}
             */
            status: "indexed" | "duplicate" | "rejected" | "failed";
        };
        /**
         * Backends
         * @description Where entries and originals lie.
         */
        Backends: {
            /** Index */
            index: string;
            /** Store */
            store: string;
        };
        /**
         * Counts
         * @description How much is in the index.
         */
        Counts: {
            /** Images */
            images: number;
            /** Objects */
            objects: number;
        };
        /**
         * CountsAnswer
         * @description Names and how often they occur, most first, then by name.
         */
        CountsAnswer: {
            /** Counts */
            counts: {
                [key: string]: number;
            };
        };
        /**
         * DeletedAnswer
         * @description What was deleted.
         */
        DeletedAnswer: {
            /**
             * Deleted
             * @default true
             * @constant
             */
            deleted: true;
        };
        /**
         * DetectAnswer
         * @description The objects of a picture.
         */
        DetectAnswer: {
            /** Height */
            height: number;
            /** Objects */
            objects: components["schemas"]["FoundObject"][];
            timings_ms: components["schemas"]["Timings"];
            /**
             * Truncated
             * @description More objects were found than are kept.
             */
            truncated: boolean;
            /** Width */
            width: number;
        };
        /**
         * ErrorAnswer
         * @description Every error has this form.
         */
        ErrorAnswer: {
            /** Code */
            code: string;
            /** Details */
            details: {
                [key: string]: unknown;
            };
            /** Message */
            message: string;
        };
        /**
         * FoundObject
         * @description An object that the detector found in a query picture.
         */
        FoundObject: {
            /**
             * Box
             * @description `[x1, y1, x2, y2]` in pixels of the upright picture
             * @example [
             *       10,
             *       20,
             *       110,
             *       220
             *     ]
             */
            box: number[];
            /** Confidence */
            confidence: number;
            /** Label */
            label: string;
        };
        /**
         * HealthAnswer
         * @description The process is alive.
         */
        HealthAnswer: {
            /**
             * Status
             * @default ok
             * @constant
             */
            status: "ok";
        };
        /**
         * Hit
         * @description A picture that answers the query, with all its matching entries, best first.
         */
        Hit: {
            /** Height */
            height: number;
            /** Image Key */
            image_key: string;
            /** Image Url */
            image_url: string;
            /** Matches */
            matches: components["schemas"]["Match"][];
            /**
             * Score
             * @description exact cosine in [-1, 1]; 1/(1+d^2) where the description says L2
             */
            score: number;
            /** Thumbnail Url */
            thumbnail_url: string;
            /** Width */
            width: number;
        };
        /**
         * ImageAnswer
         * @description A picture and everything found in it.
         */
        ImageAnswer: {
            /** Collections */
            collections: string[];
            /** Height */
            height: number;
            /** Image Key */
            image_key: string;
            /** Image Url */
            image_url: string;
            /**
             * Ingested At
             * Format: date-time
             */
            ingested_at: string;
            /** Metadata */
            metadata: {
                [key: string]: unknown;
            };
            /** Objects */
            objects: components["schemas"]["IndexedEntry"][];
            /** Taken At */
            taken_at: string | null;
            /** Thumbnail Url */
            thumbnail_url: string;
            /**
             * Truncated
             * @description More objects were found than are kept.
             */
            truncated: boolean;
            /** Width */
            width: number;
        };
        /**
         * ImageListAnswer
         * @description Pictures in key order.
         */
        ImageListAnswer: {
            /** Images */
            images: components["schemas"]["ListedImage"][];
            /** Next Cursor */
            next_cursor: string | null;
        };
        /**
         * IndexedEntry
         * @description One searchable entry of a picture.
         */
        IndexedEntry: {
            /**
             * Box
             * @description `[x1, y1, x2, y2]` in pixels of the upright picture
             * @example [
             *       10,
             *       20,
             *       110,
             *       220
             *     ]
             */
            box: number[];
            /** Confidence */
            confidence: number | null;
            /**
             * Kind
             * @enum {string}
             */
            kind: "object" | "image";
            /** Label */
            label: string | null;
            /** Object Id */
            object_id: string;
        };
        /**
         * Indexing
         * @description Whether pictures are being indexed now.
         */
        Indexing: {
            /** Done */
            done: number;
            /**
             * State
             * @enum {string}
             */
            state: "idle" | "running";
            /** Total */
            total: number;
        };
        /**
         * ListedImage
         * @description One picture of the list.
         */
        ListedImage: {
            /** Collections */
            collections: string[];
            /** Height */
            height: number;
            /** Image Key */
            image_key: string;
            /** Image Url */
            image_url: string;
            /**
             * Ingested At
             * Format: date-time
             */
            ingested_at: string;
            /** Taken At */
            taken_at: string | null;
            /** Thumbnail Url */
            thumbnail_url: string;
            /** Width */
            width: number;
        };
        /**
         * Match
         * @description An entry of a hit's picture that passes the filters.
         */
        Match: {
            /**
             * Box
             * @description `[x1, y1, x2, y2]` in pixels of the upright picture
             * @example [
             *       10,
             *       20,
             *       110,
             *       220
             *     ]
             */
            box: number[];
            /** Confidence */
            confidence: number | null;
            /**
             * Kind
             * @enum {string}
             */
            kind: "object" | "image";
            /** Label */
            label: string | null;
            /** Object Id */
            object_id: string;
            /**
             * Score
             * @description exact cosine in [-1, 1]; 1/(1+d^2) where the description says L2
             */
            score: number;
        };
        /**
         * ModelsStatus
         * @description Both models, or why there are none yet.
         */
        ModelsStatus: {
            detector: components["schemas"]["ModelStatus"] | null;
            /** Dimension */
            dimension: number | null;
            embedder: components["schemas"]["ModelStatus"] | null;
            /** Error */
            error: string | null;
            /** Metric */
            metric: ("cosine" | "l2") | null;
            /**
             * Notice
             * @description What a person should know, e.g. packaged stand-ins.
             */
            notice: string | null;
            /**
             * State
             * @enum {string}
             */
            state: "loading" | "ready" | "failed";
        };
        /**
         * ModelStatus
         * @description One model as the index's description names it.
         */
        ModelStatus: {
            /** Input Size */
            input_size: number;
            /** Name */
            name: string;
            /**
             * Origin
             * @description Where its weights came from: local, hub, packaged or random.
             */
            origin: string;
            /** Precision */
            precision: string;
            /** Sha256 */
            sha256: string;
        };
        /**
         * Query
         * @description The query picture as it was understood.
         */
        Query: {
            /** Height */
            height: number;
            /** Objects */
            objects: components["schemas"]["FoundObject"][];
            searched: components["schemas"]["Searched"];
            /** Width */
            width: number;
        };
        /**
         * QueryAnswer
         * @description A stored query, so that a shared address can show it again.
         */
        QueryAnswer: {
            /**
             * Expires At
             * Format: date-time
             */
            expires_at: string;
            /** Height */
            height: number;
            /**
             * Image Url
             * @description Address of the query picture.
             */
            image_url: string;
            /** Objects */
            objects: components["schemas"]["FoundObject"][];
            /** Query Id */
            query_id: string;
            searched: components["schemas"]["Searched"];
            /** Width */
            width: number;
        };
        /**
         * ReadyAnswer
         * @description A search would work now.
         */
        ReadyAnswer: {
            /**
             * Status
             * @default ready
             * @constant
             */
            status: "ready";
        };
        /**
         * SearchAnswer
         * @description One page of a frozen ranking.
         */
        SearchAnswer: {
            /**
             * Facets
             * @description Pictures with a matching object of this label, over the frozen result.
             */
            facets: {
                [key: string]: number;
            };
            /** Hits */
            hits: components["schemas"]["Hit"][];
            /**
             * Next Cursor
             * @description Asks for the next page; null at the end.
             */
            next_cursor: string | null;
            query: components["schemas"]["Query"];
            /**
             * Query Id
             * @description Names the query picture for 24 hours; null where it could not be stored.
             */
            query_id: string | null;
            timings_ms: components["schemas"]["Timings"];
        };
        /**
         * Searched
         * @description What of the query picture was embedded.
         */
        Searched: {
            /**
             * Box
             * @description `[x1, y1, x2, y2]` in pixels of the upright picture
             * @example [
             *       10,
             *       20,
             *       110,
             *       220
             *     ]
             */
            box: number[];
            /**
             * Label
             * @description Class of the object searched for; null for other boxes.
             */
            label: string | null;
        };
        /**
         * StatusAnswer
         * @description Everything about the service at a glance.
         */
        StatusAnswer: {
            backends: components["schemas"]["Backends"];
            /** @description Null while the index cannot be asked. */
            counts: components["schemas"]["Counts"] | null;
            indexing: components["schemas"]["Indexing"];
            /**
             * Keys Required
             * @description API keys exist, so requests need one.
             */
            keys_required: boolean;
            models: components["schemas"]["ModelsStatus"];
            /**
             * Urls Allowed
             * @description Searches by address are allowed.
             */
            urls_allowed: boolean;
            /** Version */
            version: string;
        };
        /**
         * Timings
         * @description Milliseconds that each step of this answer took; 0.0 for steps that were not needed.
         */
        Timings: {
            /** Decode */
            decode: number;
            /** Detect */
            detect: number;
            /** Embed */
            embed: number;
            /** Search */
            search: number;
            /** Total */
            total: number;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    _lambda__x_AddAnswer_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AddAnswer"];
                };
            };
        };
    };
    _lambda__x_AddedImage_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AddedImage"];
                };
            };
        };
    };
    _lambda__x_Backends_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Backends"];
                };
            };
        };
    };
    _lambda__x_Counts_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Counts"];
                };
            };
        };
    };
    _lambda__x_CountsAnswer_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CountsAnswer"];
                };
            };
        };
    };
    _lambda__x_DeletedAnswer_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeletedAnswer"];
                };
            };
        };
    };
    _lambda__x_DetectAnswer_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DetectAnswer"];
                };
            };
        };
    };
    _lambda__x_ErrorAnswer_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    _lambda__x_FoundObject_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FoundObject"];
                };
            };
        };
    };
    _lambda__x_HealthAnswer_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HealthAnswer"];
                };
            };
        };
    };
    _lambda__x_Hit_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Hit"];
                };
            };
        };
    };
    _lambda__x_ImageAnswer_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ImageAnswer"];
                };
            };
        };
    };
    _lambda__x_ImageListAnswer_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ImageListAnswer"];
                };
            };
        };
    };
    _lambda__x_IndexedEntry_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["IndexedEntry"];
                };
            };
        };
    };
    _lambda__x_Indexing_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Indexing"];
                };
            };
        };
    };
    _lambda__x_ListedImage_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListedImage"];
                };
            };
        };
    };
    _lambda__x_Match_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Match"];
                };
            };
        };
    };
    _lambda__x_ModelsStatus_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ModelsStatus"];
                };
            };
        };
    };
    _lambda__x_ModelStatus_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ModelStatus"];
                };
            };
        };
    };
    _lambda__x_Query_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Query"];
                };
            };
        };
    };
    _lambda__x_QueryAnswer_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["QueryAnswer"];
                };
            };
        };
    };
    _lambda__x_ReadyAnswer_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ReadyAnswer"];
                };
            };
        };
    };
    _lambda__x_SearchAnswer_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SearchAnswer"];
                };
            };
        };
    };
    _lambda__x_Searched_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Searched"];
                };
            };
        };
    };
    _lambda__x_StatusAnswer_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["StatusAnswer"];
                };
            };
        };
    };
    _lambda__x_Timings_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Timings"];
                };
            };
        };
    };
}
